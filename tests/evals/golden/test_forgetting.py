"""Golden cases, their audit trail and training examples go with what is erased; the rest stays to the byte."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app import bootstrap
from app.bootstrap import Services
from evals import cli
from evals.golden.cards import read_card
from evals.golden.cases import cases_hash, load_cases
from evals.golden.forgetting import GoldenSets, TrainingFiles
from evals.review.audit import act, read_entries
from evals.review.edits import record
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.erasure import Named
from retrieval.files import list_files
from tests.crash_matrix import InProcess
from tests.evals.conftest import case_json, write_set
from tests.remains import remains


def silent(step: str, done: int, total: int) -> None: ...


@pytest.fixture
def evals(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """The CLI's own composition, without weights."""
    real = bootstrap.build
    monkeypatch.setattr(bootstrap, "build", lambda settings: real(settings, embedder=HashingEmbedder()))

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["evals", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), capfd.readouterr().out

    return run


@pytest.fixture
def reviewed(tmp_path: Path) -> Path:
    """A golden set of three cases, one of them about a person, with an audit trail."""
    cases = [case_json("a-1"), case_json("a-2", question="Who is Jane Q. Doe?"), case_json("a-3", question="What now?")]
    folder = write_set(tmp_path / "sets", cases)
    known = {case.id: case for case in load_cases(folder / "cases.jsonl")}
    record(folder, act("me", "fix", known["a-2"], known["a-2"].model_copy(update={"severity": "minor"})))
    record(folder, act("me", "label", known["a-3"], known["a-3"], note="as Jane Q. Doe said"))
    record(folder, act("me", "fix", known["a-1"], known["a-1"].model_copy(update={"severity": "minor"})))
    return folder


def test_cases_and_their_trail_lose_a_subject(services: Services, reviewed: Path, tmp_path: Path) -> None:
    training = tmp_path / "train.jsonl"
    lines = [json.dumps({"x": "Jane Q.\nDoe"}) + "\n", json.dumps({"x": "else"}) + "\n"]
    training.write_text("".join(lines), "utf-8")
    kept = [line for line in (reviewed / "cases.jsonl").read_text("utf-8").splitlines() if '"a-2"' not in line]
    places = [GoldenSets([reviewed.parent]), TrainingFiles([training])]
    plan = services.forget.plan(Named(subject="jane q. doe"), places)
    assert plan.counts["golden cases"] == plan.counts["training examples"] == 1
    assert remains(reviewed, "Jane Q. Doe") != [] and read_card(reviewed / "card.md").cases == 3

    outcome = services.forget.run(Named(subject="jane q. doe"), silent, places)
    assert outcome.clean, outcome.receipt["scan"]
    assert outcome.receipt["erased"]["review entries"] == 2
    assert remains(tmp_path / "sets", "Jane Q. Doe") == [] and training.read_text("utf-8") == lines[1]
    assert (reviewed / "cases.jsonl").read_text("utf-8").splitlines() == kept
    card = read_card(reviewed / "card.md")
    assert (card.cases, card.sha256) == (2, cases_hash(reviewed / "cases.jsonl"))
    entries = read_entries(reviewed)  # the chain holds
    assert [entry.case is None for entry in entries] == [True, True, False]
    assert [entry.case_id for entry in entries] == ["a-2", "a-3", "a-1"]


def test_cases_that_quote_an_erased_document_go(services: Services, reviewed: Path) -> None:
    ingestor = replace(services.ingestor, open_parser=InProcess)
    ingestor.ingest(list_files([reviewed / "corpus"]), "default")
    places = [GoldenSets([reviewed])]
    outcome = services.forget.run(Named(document="canary.md"), silent, places)
    assert outcome.receipt["erased"]["golden cases"] == 3
    assert [trace.where for trace in outcome.left] == [str(reviewed / "corpus" / "canary.md")], "its owner's to change"
    assert "canary.md" not in outcome.path.read_text("utf-8")
    assert load_cases(reviewed / "cases.jsonl") == []
    (reviewed / "corpus" / "canary.md").unlink()
    (unfinished,) = services.forget.resume(silent, all_of_them=True)
    assert not unfinished.clean and "evals forget --resume" in str(unfinished.receipt["scan"])
    (outcome,) = services.forget.resume(silent, places, all_of_them=True)
    assert outcome.clean


def test_the_command_takes_sets_along(evals: Callable[..., tuple[int, str]], reviewed: Path, tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    arguments = ("forget", "--subject", "Jane Q. Doe", "--home", home, "--golden-sets", str(reviewed.parent))
    assert evals("forget", "--subject", "Jane Q. Doe", "--yes", "--home", home)[0] == 4
    code, out = evals(*arguments, "--dry-run", "--json")
    assert (code, json.loads(out)["erases"]["golden cases"]) == (0, 1)
    code, out = evals(*arguments, "--yes", "--json")
    assert (code, json.loads(out)["erased"]["golden cases"]) == (0, 1)
    code, out = evals("forget", "--resume", "--home", home, "--golden-sets", str(reviewed.parent))
    assert (code, out.strip()) == (0, "Nothing was left unfinished.")
