"""The `assay` command as a user runs it: tables, JSON, exit codes, one-line errors."""

import json
import sys
from pathlib import Path

import pytest
import respx

from app import bootstrap, cli
from app.bootstrap import Services, build
from app.settings import Settings
from retrieval.embedders.hashing import HashingEmbedder

Run = tuple[int, str, str]


@pytest.fixture(autouse=True)
def _no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))

    def with_hashing(settings: Settings) -> Services:
        return build(settings, embedder=HashingEmbedder())

    monkeypatch.setattr(bootstrap, "build", with_hashing)


@pytest.fixture
def assay(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> object:
    def run(*arguments: str) -> Run:
        monkeypatch.setattr(sys, "argv", ["assay", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capfd.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


def test_ingest_search_ask_show(assay, documents: Path) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = assay("ingest", str(documents), "--json")
    report = json.loads(out)
    assert (code, report["documents"], report["quarantined"]) == (0, 3, [])

    code, out, _ = assay("search", "canary traffic", "--json", "--k", "1")
    assert (code, json.loads(out)["passages"][0]["uri"]) == (0, "canary.md")

    code, out, _ = assay("ask", "canary release traffic percent new version hour", "--json")
    answer = json.loads(out)
    citation = answer["claims"][0]["citations"][0]
    assert (code, answer["snapshot"]) == (0, report["snapshot"])

    code, out, _ = assay("show", citation["doc_id"], "--snapshot", citation["snapshot"])
    assert out[citation["start"] : citation["end"]] == citation["quote"]


def test_what_people_see_names_sources(assay, documents: Path) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = assay("ingest", str(documents))
    assert code == 0
    assert "3 added" in out
    code, out, _ = assay("ask", "canary release traffic percent new version hour")
    assert "canary.md" in out
    assert "[1]" in out


def test_strict_fails_on_quarantine(assay, documents: Path) -> None:  # type: ignore[no-untyped-def]
    (documents / "empty.txt").write_bytes(b"")
    assert assay("ingest", str(documents))[0] == 0
    code, out, _ = assay("ingest", str(documents), "--strict")
    assert code == 1
    assert "empty" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ask", "anything"), "assay ingest"),
        (("ingest", "/no/such/place"), "does not exist"),
        (("show", "nothing"), "No document"),
        (("keys", "revoke", "nobody"), "keys list"),
        (("ask", "x", "--corpus", "../up"), "corpus"),
    ],
)
def test_what_the_user_can_mend_is_one_line(assay, arguments: tuple[str, ...], said: str) -> None:  # type: ignore[no-untyped-def]
    code, _, err = assay(*arguments)
    assert code == 2
    assert said in " ".join(err.split())
    assert "Traceback" not in err


def test_keys(assay) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = assay("keys", "create", "front-end")
    assert (code, out.startswith("assay_")) == (0, True)
    assert assay("keys", "list")[1].strip() == "front-end"


def test_a_key_may_have_a_ceiling_where_models_have_prices(assay, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    assert assay("keys", "create", "reporting", "--usd-per-day", "5")[0] == 0
    assert assay("keys", "spent")[:2] == (0, "")
    monkeypatch.setenv("ASSAY_LLM__PROVIDER", "openai_compatible")
    monkeypatch.setenv("ASSAY_LLM__MODEL", "mine")
    code, _, err = assay("keys", "create", "second", "--usd-per-day", "5")
    assert code == 2 and "'openai-compatible/mine' has no price" in " ".join(err.split())
    monkeypatch.setenv("ASSAY_LLM__MODEL", "gpt-4o")
    assert assay("keys", "create", "second", "--usd-per-day", "5")[0] == 0


def test_reindex(assay, documents: Path) -> None:  # type: ignore[no-untyped-def]
    assay("ingest", str(documents))
    code, out, _ = assay("corpus", "reindex", "--kind", "ivf")
    assert code == 0 and "built anew" in out
    assert assay("corpus", "verify")[0] == 0
    assert json.loads(assay("search", "canary traffic", "--k", "1", "--json")[1])["passages"][0]["uri"] == "canary.md"
    assert assay("corpus", "reindex", "--kind", "other")[0] == 2
    assert assay("corpus", "reindex", "nope")[0] == 2


def catalogue(folder: Path, height: str, price: str = "EUR") -> None:
    """Twelve sheets with a price and a height."""
    folder.mkdir(exist_ok=True)
    for number, topic in enumerate(
        "harbour pump valve mast rudder anchor engine galley compass sail hull winch".split()
    ):
        tall = 150 + 10 * number
        said = f"{tall} cm" if height == "cm" else f"{tall / 100:.2f} m"
        (folder / f"{topic}.md").write_text(
            f"# The {topic}\n\nThis sheet tells what one has to know about the {topic} before buying it. "
            f"A new {topic} is {said} high and costs {10 + number}.00 {price} at the {topic} shop of the harbour.\n",
            encoding="utf-8",
        )


@pytest.mark.parametrize("webhook", ["answers", "refuses"])
def test_a_broken_contract_ends_with_1_and_is_told_without_any_text(  # type: ignore[no-untyped-def]
    assay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, respx_mock: respx.MockRouter, webhook: str
) -> None:
    status = 204 if webhook == "answers" else 500
    told = respx_mock.post("http://127.0.0.1:9/hook").respond(status)
    monkeypatch.setenv("ASSAY_ALERTS__WEBHOOK_URL", "http://127.0.0.1:9/hook")
    folder = tmp_path / "sheets"
    (tmp_path / "contract.yaml").write_text("documents: {min: 1}", encoding="utf-8")
    assert assay("corpus", "contract", str(tmp_path / "contract.yaml"))[0] == 0
    catalogue(folder, "cm")
    code, out, _ = assay("ingest", str(folder), "--prune", "--json")
    serving = json.loads(out)["snapshot"]
    assert code == 0 and not told.called
    catalogue(folder, "m")
    code, out, _ = assay("ingest", str(folder), "--prune")
    assert code == 1 and "the contract stopped it" in out and "unit" in " ".join(out.split())
    code, out, _ = assay("search", "anchor", "--json", "--k", "1")
    assert json.loads(out)["snapshot"] == serving
    body = json.loads(told.calls.last.request.content)
    assert (body["event"], body["switched"], body["snapshot"]) == ("contract", False, serving)
    assert {breach["rule"] for breach in body["breaches"]} & {"units", "numbers"}
    assert "what one has to know" not in told.calls.last.request.content.decode()
