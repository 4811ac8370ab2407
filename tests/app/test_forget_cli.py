"""`assay forget` and `assay retain` as a user runs them."""

import json
from pathlib import Path

import pytest

from tests.app.test_cli import _no_weights, assay  # noqa: F401
from tests.remains import remains


@pytest.fixture
def filled(assay, documents: Path) -> Path:  # type: ignore[no-untyped-def]  # noqa: F811
    """A home that holds a document with a name in it."""
    (documents / "staff.md").write_text("# Staff\n\nJane Q. Doe leads the team of the northern building.\n", "utf-8")
    assert assay("ingest", str(documents))[0] == 0
    return documents


def test_look_erase_check_lift(assay, filled: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]  # noqa: F811
    home, copy = tmp_path / "home", tmp_path / "receipt.json"
    code, out, _ = assay("forget", "--subject", "jane q. doe", "--dry-run", "--json")
    plan = json.loads(out)
    assert (code, plan["documents"], plan["erases"]["versions"]) == (0, ["staff.md"], 1)
    assert remains(home, "Jane Q. Doe") != []

    code, _, err = assay("forget", "--subject", "jane q. doe")
    assert code == 2 and "--yes" in err
    code, out, _ = assay("forget", "--subject", "jane q. doe", "--yes", "--json", "--receipt", str(copy))
    receipt = json.loads(out)
    assert (code, receipt["scan"]["clean"]) == (0, True) and json.loads(copy.read_text("utf-8")) == receipt
    assert remains(home, "Jane Q. Doe") == []

    code, out, err = assay("forget", "--check", str(copy))
    assert code == 0 and json.loads(out) == receipt and "genuine" in err
    copy.write_text(copy.read_text("utf-8").replace('"versions": 1', '"versions": 0'), "utf-8")
    code, _, err = assay("forget", "--check", str(copy))
    assert code == 2 and "not as it was signed" in " ".join(err.split())

    code, out, _ = assay("ingest", str(filled), "--json")
    assert [row["code"] for row in json.loads(out)["quarantined"]] == ["forgotten"]
    code, out, _ = assay("corpus", "list", "--json")
    old = next(row["snapshot"]["id"] for row in json.loads(out) if not row["serves"])
    code, out, _ = assay("corpus", "verify", old)
    assert code == 0 and receipt["receipt"] in out and "whole" in out
    assert assay("forget", "--lift", receipt["receipt"])[0] == 0
    code, out, _ = assay("ingest", str(filled), "--json")
    assert json.loads(out)["added"] == 1


def test_a_receipt_of_another_home_is_not_ours(assay, filled: Path, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]  # noqa: F811
    copy = tmp_path / "receipt.json"
    code, out, _ = assay("forget", "--doc", "staff.md", "--yes", "--receipt", str(copy))
    assert code == 0 and "no trace is left" in out
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "other"))
    code, _, err = assay("forget", "--check", str(copy))
    assert code == 2 and "another key" in " ".join(err.split())


def test_a_trace_is_exit_code_1_and_resume_ends_it(assay, filled: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]  # noqa: F811
    stray = tmp_path / "home" / "notes.txt"
    stray.write_text("Jane Q. Doe", "utf-8")
    code, out, _ = assay("forget", "--subject", "jane q. doe", "--yes")
    assert code == 1 and "notes.txt" in out and "Doe" not in out
    assert assay("forget", "--resume")[0] == 1
    assert assay("ingest", str(filled))[0] == 0, "an ingest does not repeat what has its receipt"
    stray.unlink()
    assert assay("forget", "--resume")[0] == 0
    code, out, _ = assay("forget", "--resume")
    assert code == 0 and "Nothing" in out


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--doc", "a", "--subject", "b"),
        ("--resume", "--lift", "x"),
        ("--subject", "Doe", "--yes"),
        ("--doc", "nowhere.md", "--yes"),
        ("--lift", "20260101T000000-00000000"),
        ("--check", "/no/such/file"),
    ],
)
def test_misuse_is_exit_code_2(assay, filled: Path, arguments: tuple[str, ...]) -> None:  # type: ignore[no-untyped-def]  # noqa: F811
    code, _, err = assay("forget", *arguments)
    assert code == 2 and "Traceback" not in err


def test_retain(assay, filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]  # noqa: F811
    assert "no setting" in assay("retain")[1]
    assay("ask", "canary traffic")
    monkeypatch.setenv("ASSAY_RETENTION__TURNS_DAYS", "0")
    assert "1 turns" in assay("retain", "--dry-run")[1]
    code, out, _ = assay("retain", "--json")
    assert code == 0 and json.loads(out)["removed"]["turns"] == 1
