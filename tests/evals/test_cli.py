"""The `evals` command: exit codes, one-line errors, JSON that is nothing but JSON."""

import json
import sys
from itertools import repeat
from pathlib import Path

import pytest

from app import bootstrap
from app.llm.scripted import ScriptedProvider
from evals import cli
from evals.commands.options import MISUSE, UNMEASURABLE
from evals.running.records import read_records
from retrieval.embedders.hashing import HashingEmbedder
from tests.evals.conftest import QUOTE, write_suite


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CLI's own composition, with fakes in place of weights."""
    real = bootstrap.build
    monkeypatch.setattr(
        bootstrap,
        "build",
        lambda settings: real(settings, embedder=HashingEmbedder(), provider=ScriptedProvider(repeat(QUOTE))),
    )


def evals(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["evals", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_a_run_prints_tables_misses_and_where_the_records_are(
    golden_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = write_suite(tmp_path / "tiny.yaml")
    home = tmp_path / "home"
    assert evals(monkeypatch, "run", suite, "--home", home, "--golden-sets", golden_root) == 0
    printed = capsys.readouterr().out
    assert "answer_match" in printed
    assert "refusals: 0 right, 0 wrong; answers: 1 to answerable, 1 to unanswerable" in printed
    assert "a-2 major · answered the unanswerable" in printed
    [folder] = (home / "runs").iterdir()
    assert str(folder) in printed
    assert len(read_records(folder / "records.jsonl")) == 2


def test_json_is_all_that_json_prints(
    golden_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = write_suite(tmp_path / "tiny.yaml")
    code = evals(
        monkeypatch, "run", suite, "--json", "--only", "a-1", "--home", tmp_path / "h", "--golden-sets", golden_root
    )
    captured = capsys.readouterr()
    assert (code, captured.err) == (0, "")
    shown = json.loads(captured.out)
    assert shown["cases"] == ["a-1"]
    assert shown["summary"]["overall"]["answer_match"]["mean"] == 1.0
    assert Path(shown["folder"], "run.json").is_file()


def test_too_many_failures_are_unmeasurable(
    golden_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = write_suite(tmp_path / "tiny.yaml", deadline_s=1e-9)
    assert evals(monkeypatch, "run", suite, "--home", tmp_path / "h", "--golden-sets", golden_root) == UNMEASURABLE
    printed = capsys.readouterr().out
    assert "UNMEASURABLE" in printed
    assert "failed: Deadline" in printed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "none"], "There is no suite 'none'"),
        (["run", "smoke"], "There is no golden set 'handbook'"),
        (["run", "SUITE", "--golden-sets", "SETS", "--only", "zz"], "No such case in this split: zz"),
        (["run", "SUITE", "--golden-sets", "SETS", "--provider", "odd"], "llm.provider"),
        (["run", "SUITE", "--sample", "0"], "--sample"),
        (["run", "SUITE", "--odd"], "No such option: --odd"),
        (["run"], "Missing argument"),
        (["validate"], "There is no golden set in"),
    ],
)
def test_misuse_is_one_line_and_exit_4(
    arguments: list[str],
    said: str,
    golden_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = {"SUITE": str(write_suite(tmp_path / "tiny.yaml")), "SETS": str(golden_root)}
    assert evals(monkeypatch, *(places.get(word, word) for word in arguments)) == MISUSE
    captured = capsys.readouterr()
    assert said in captured.err
    assert "Traceback" not in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_help_states_the_exit_codes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert evals(monkeypatch, "--help") == 0
    text = capsys.readouterr().out
    assert all(
        code in " ".join(text.split()) for code in ("0 PASS", "1 FAIL", "2 INCONCLUSIVE", "3 UNMEASURABLE", "4 misuse")
    )
