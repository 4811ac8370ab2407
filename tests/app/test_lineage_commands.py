"""`assay lineage`, `assay explain`, `--explain` as a user runs them: exit codes, JSON, tables that fit 80 columns."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app import bootstrap, cli
from app.bootstrap import Services, build
from app.commands import shared
from app.settings import Settings, load_settings
from app.types import ChatRequest, Message
from retrieval.embedders.hashing import HashingEmbedder

Run = Callable[..., tuple[int, str, str]]
QUESTION = "canary release traffic percent new version hour"


@pytest.fixture
def assay(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path, documents: Path) -> Run:
    """The command over a corpus of three documents, in a terminal of 80 columns."""

    def with_hashing(settings: Settings) -> Services:
        return build(settings, embedder=HashingEmbedder())

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["assay", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capfd.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(bootstrap, "build", with_hashing)
    monkeypatch.setattr(shared.out, "_width", 80)
    assert run("ingest", str(documents))[0] == 0
    return run


def turn(assay: Run) -> str:
    return str(json.loads(assay("ask", QUESTION, "--json")[1])["turn_id"])


def fits(text: str) -> bool:
    return max(map(len, text.splitlines())) <= 80


def test_lineage_in_one_command(assay: Run) -> None:
    name = turn(assay)
    code, out, _ = assay("lineage", name)
    said = " ".join(out.split())
    assert code == 0 and fits(out)
    for word in ("canary.md", "all defaults", "none ran", "1 percent of the traffic", "grounded-answer@1", "0 USD"):
        assert word in said
    found = json.loads(assay("lineage", name, "--json")[1])
    assert found["turn"]["release"]["code_sha256"] and found["snapshot"]["transforms"]["chunker"]
    assert found["turn"]["scope"] == {"tenant": "", "groups": [], "where": {}}
    assert assay("lineage", "0" * 32)[0] == 2


def test_replay_says_reproduced_or_what_differs(assay: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    name = turn(assay)
    code, out, _ = assay("lineage", name, "--replay", "--question", QUESTION)
    assert code == 0 and "REPRODUCED" in out
    code, _, err = assay("lineage", name, "--replay")
    assert code == 2 and "--question" in err
    code, _, err = assay("lineage", name, "--replay", "--question", "another")
    assert code == 2 and "not the question" in err
    monkeypatch.setenv("ASSAY_CHAT__MAX_CLAIMS", "1")
    monkeypatch.setenv("ASSAY_CHAT__PASSAGES", "1")
    code, out, _ = assay("lineage", name, "--replay", "--question", QUESTION)
    assert code == 1 and "DIFFERS" in out and "chat.passages" in out and fits(out)
    again = json.loads(assay("lineage", name, "--replay", "--question", QUESTION, "--json")[1])["replay"]
    assert (again["reproduced"], again["release"]["chat.passages"]) == (False, ["8", "1"])


def test_explanations_fit_the_terminal(assay: Run) -> None:
    name = turn(assay)
    code, out, _ = assay("explain", name, "--question", QUESTION)
    assert code == 0 and fits(out)
    for title in ("How the passages were found", "Words that were asked for", "What each passage carries", "without a"):
        assert title in out
    assert "✗" in out and "canary.md" in out
    code, out, _ = assay("search", QUESTION, "--explain")
    assert code == 0 and fits(out) and "candidates" in out
    code, out, _ = assay("ask", QUESTION, "--explain")
    assert code == 0 and fits(out) and "What each passage carries" in out


def test_explanations_for_machines(assay: Run) -> None:
    found = json.loads(assay("search", QUESTION, "--explain", "--json")[1])
    best = found["passages"][0]
    assert sum(part["share"] for part in best["parts"].values()) == pytest.approx(best["fused"], abs=1e-6)
    answer = json.loads(assay("ask", QUESTION, "--explain", "--json")[1])
    assert len(answer["explanation"]["carried"]) == len(answer["claims"])
    explained = json.loads(assay("explain", answer["turn_id"], "--question", QUESTION, "--json")[1])
    assert explained["carried"] == answer["explanation"]["carried"]


def test_a_history_is_given_as_a_file(assay: Run, tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "What is a canary release?"}]
    services = build(load_settings(home=tmp_path / "home"), embedder=HashingEmbedder())
    asked = ChatRequest(QUESTION, (Message("user", "What is a canary release?"),))
    name = asyncio.run(services.pipeline.run(asked)).turn_id
    services.close()
    code, _, err = assay("lineage", name, "--replay", "--question", QUESTION)
    assert code == 2 and "--history" in err
    path = tmp_path / "history.json"
    path.write_text(json.dumps(messages), encoding="utf-8")
    code, out, _ = assay("lineage", name, "--replay", "--question", QUESTION, "--history", str(path))
    assert code == 0 and "REPRODUCED" in out
    path.write_text(json.dumps([{**messages[0], "content": "another"}]), encoding="utf-8")
    assert assay("lineage", name, "--replay", "--question", QUESTION, "--history", str(path))[0] == 2
