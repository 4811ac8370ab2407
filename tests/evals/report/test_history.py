"""Runs that lie on disk: compared, listed, reported anew."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from rich.console import Console

from evals.commands import report as commands
from evals.commands.options import Door
from evals.errors import NotComparable, RunDamaged
from evals.report.comparing import find_run, judge_runs, why_not
from evals.report.history import entries, main_metrics, points
from evals.report.write import write_reports
from evals.running.latest import latest_run
from evals.running.records import Run, write_run
from evals.types import GateReport, Verdict
from tests.evals.report.building import SUITE, make_cases, make_record, make_records, make_run

Pair = tuple[Run, Run, GateReport]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Three runs, one of them of a variant, and what is no run."""
    cases = make_cases(30)
    runs = tmp_path / "home" / "runs"
    for day in (2, 1):
        make_run(
            runs / f"2026110{day}-smoke",
            cases,
            make_records(cases, 0.1 * day),
            started=datetime(2026, 11, day, tzinfo=UTC),
        )
    make_run(runs / "20261103-smoke-bm25_only", cases, make_records(cases, 0.1), variant="bm25_only")
    (runs / "torn").mkdir()
    (runs / "torn" / "run.json").write_text("{")
    (runs / "note.txt").write_text("not a run")
    return tmp_path / "home"


def test_history_is_newest_first_and_survives_what_it_cannot_read(home: Path) -> None:
    found = entries(home / "runs", home / "none", None)
    assert [entry.name for entry in found] == ["20261102-smoke", "20261101-smoke", "torn"]
    assert "cannot be read" in found[-1].problem
    lines = points(found, ["answer_match"])
    assert [point.when for point in lines["answer_match · smoke"]] == ["Nov 01", "Nov 02"]
    assert entries(home / "runs", home / "none", "another")[0].name == "torn"


def test_history_knows_verdicts_baselines_and_runs_that_broke_off(home: Path, pair: Pair) -> None:
    _, _, gate = pair
    cases = make_cases(30)
    accepted = make_run(home / "baselines" / "smoke", cases, make_records(cases, 0.1))
    judged = make_run(home / "runs" / "z", cases, make_records(cases, 0.1), started=datetime(2026, 11, 24, tzinfo=UTC))
    write_reports(judged, replace(gate, changes=(), unpaired=()), None, {})
    write_run(home / "runs" / "20261101-smoke" / "run.json", replace(accepted.info, summary=None))
    found = {entry.name: entry for entry in entries(home / "runs", home / "baselines", "smoke")}
    assert found["z"].verdict is Verdict.FAIL
    assert found["smoke"].accepted
    assert "--resume" in found["20261101-smoke"].problem
    assert next(iter(main_metrics(found.values(), "no-such-suite"))) == "answer_match"


def test_a_run_is_found_by_folder_name_or_baseline(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = home / "runs"
    assert find_run("20261101-smoke", runs).folder == runs / "20261101-smoke"
    assert find_run(str(runs / "20261101-smoke"), Path("elsewhere")).info.suite == "smoke"
    with pytest.raises(RunDamaged, match="baseline:SUITE"):
        find_run("nothing", runs)
    with pytest.raises(RunDamaged, match="latest"):
        find_run("latest", home / "nowhere")
    assert find_run("latest", runs).folder == latest_run(runs)
    monkeypatch.chdir(home)
    cases = make_cases(20)
    make_run(home / "evals" / "baselines" / "smoke", cases, make_records(cases, 0.1))
    assert find_run("baseline:smoke", runs).info.suite == "smoke"


def test_two_runs_are_gated(pair: Pair) -> None:
    run, baseline, _ = pair
    assert judge_runs(baseline, run, SUITE).verdict is Verdict.FAIL
    assert not any(one.verdict is Verdict.FAIL for one in judge_runs(baseline, baseline, SUITE).findings)


CHANGES: dict[str, Callable[[Run], Run]] = {
    "broke off": lambda run: replace(run, info=replace(run.info, summary=None)),
    "locked test split": lambda run: replace(run, info=replace(run.info, split="test")),
    "of the suite": lambda run: replace(run, info=replace(run.info, suite="other")),
    "share no golden set": lambda run: replace(run, info=replace(run.info, golden_sets={"other": "0"})),
    "same words": lambda run: replace(run, records=tuple(replace(r, case_sha256="0") for r in run.records)),
}


@pytest.mark.parametrize("why", CHANGES)
def test_what_cannot_be_compared_says_why(pair: Pair, why: str) -> None:
    run, baseline, _ = pair
    assert why in why_not(baseline, CHANGES[why](run))
    assert why in why_not(CHANGES[why](baseline), run)
    with pytest.raises(NotComparable, match=why):
        judge_runs(baseline, CHANGES[why](run), SUITE)


@pytest.fixture
def door() -> Door:
    return Door(Console(width=120), Console(stderr=True), None, None)  # type: ignore[arg-type]


def test_the_commands(
    home: Path, door: Door, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    cases = make_cases(40)
    make_run(home / "runs" / "good", cases, [make_record(case, True, 0.5) for case in cases])
    bad = make_run(home / "runs" / "bad", cases, [make_record(case, False, 0.5) for case in cases])
    suite = home / "smoke.yaml"
    suite.write_text(json.dumps(SUITE.model_dump(mode="json")))
    options = commands.CompareOptions(baseline="good", candidate="bad", suite=str(suite), home=home)
    with pytest.raises(typer.Exit) as ended:
        commands.compare(door, options)
    assert ended.value.exit_code == 1
    assert capsys.readouterr().out.startswith("FAIL")
    assert not (bad.folder / "report.html").exists()
    with pytest.raises(typer.Exit):
        commands.compare(door, replace(options, write=True, as_json=True))
    assert json.loads(capsys.readouterr().out)["gate"]["verdict"] == "FAIL"
    page = (bad.folder / "report.html").read_text()
    (bad.folder / "report.html").unlink()
    commands.report(door, commands.ReportOptions(run="bad", home=home))
    assert (bad.folder / "report.html").read_text() == page
    capsys.readouterr()
    with pytest.raises(typer.Exit) as ended:
        commands.history(door, commands.HistoryOptions(home=home, html=home / "trend" / "h.html"))
    assert ended.value.exit_code == 0
    said = capsys.readouterr().out
    assert "torn" in said
    assert "FAIL" in said
    assert (home / "trend" / "h.html").read_text().count("<svg") == 4
    with pytest.raises(typer.Exit) as ended:
        commands.history(door, commands.HistoryOptions(home=home / "nowhere"))
    assert ended.value.exit_code == 1
