"""What the terminal says, and in which order."""

import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from evals.report.terminal import show_run
from evals.report.wording import number
from evals.running.records import Run
from evals.types import Finding, GateReport, Verdict
from tests.evals.report.building import judged, make_cases, make_records, make_run


def shown(run: Run, gate: GateReport | None, width: int = 140) -> str:
    out = StringIO()
    show_run(
        run, gate, Console(file=out, width=width, force_terminal=True, color_system="standard", legacy_windows=False)
    )
    return out.getvalue()


COLOURS = {"PASS": "\x1b[1;32m", "FAIL": "\x1b[1;31m", "INCONCLUSIVE": "\x1b[1;33m", "UNMEASURABLE": "\x1b[1;35m"}


@pytest.mark.parametrize("verdict", Verdict, ids=lambda verdict: verdict.name)
def test_the_verdict_comes_first_in_its_colour(pair: tuple[Run, Run, GateReport], verdict: Verdict) -> None:
    run, _, gate = pair
    assert shown(run, replace(gate, verdict=verdict)).startswith(f"{COLOURS[verdict.name]}{verdict.name}")


def test_all_parts_are_there(pair: tuple[Run, Run, GateReport]) -> None:
    run, _, gate = pair
    said = shown(run, gate)
    order = [
        said.index(part)
        for part in ("regression:", "against the", "suite smoke", "kind or slice", "lift over", "worst of")
    ]
    assert order == sorted(order)
    for part in ("worse", "simple → now", "refusals:", "latency:", "worst of", "report.html", "could not be"):
        assert part in said
    assert re.search(r"c-\d{3}.{0,12} (critical|major|minor) · ", said)  # a miss, by name, severity and what went wrong
    assert f"{gate.pairs} pairs of cases" in said


def test_eighty_columns_are_enough(pair: tuple[Run, Run, GateReport]) -> None:
    run, _, gate = pair
    narrow = shown(run, gate, 80)
    assert [line for line in narrow.splitlines() if "│" in line and ("…" in line or len(plain(line)) > 80)] == []


def test_the_longest_outcome_fits_eighty_columns(pair: tuple[Run, Run, GateReport]) -> None:
    run, _, gate = pair
    kept = tuple(replace(one, outcome="not_worse", pairs=1234) for one in gate.comparisons)
    narrow = plain(shown(run, replace(gate, comparisons=kept), 80))
    assert "not worse" in narrow
    assert [line for line in narrow.splitlines() if "│" in line and "…" in line] == []


def test_pending_scores_lead_with_what_is_waited_for(tmp_path: Path) -> None:
    cases = [*make_cases(30), *make_cases(34, kind="injection_direct", pending="injection_guard")[30:]]
    said = plain(shown(make_run(tmp_path / "run", cases, make_records(cases, 0.2)), None, 300))
    row = next(line for line in said.splitlines() if "injection_guard" in line)
    assert row.index("abstention") < row.index("answer_match") < row.index("citation_recall")  # not the suite's order


def plain(line: str) -> str:
    return re.sub("\x1b\\[[0-9;]*m", "", line)


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.1234, "0.123"), (-0.0, "0.000"), (12.34, "12.3"), (1234.4, "1234"), (0.00042, "0.00042"), (-0.5, "−0.500")],
)
def test_numbers(value: float, said: str) -> None:
    assert number(value) == said


def test_pending_cases_stand_apart_and_unstable_ones_are_named(tmp_path: Path) -> None:
    built, waiting = make_cases(30), make_cases(34, kind="tool", pending="tools")[30:]
    cases = [*built, *waiting]
    records = make_records(cases, 0.2)
    flipped = replace(records[0], repeat=1, scores={"answer_match": 1.0 - records[0].scores["answer_match"]})
    run = make_run(tmp_path / "run", cases, [*records, flipped], repeats=2)
    said = shown(run, None)
    assert "pending feature" in said
    assert "tools" in said
    assert "unstable: 1: c-000" in said
    assert "kind=tool" not in said
    assert not any(case.id in said for case in waiting)  # not among the misses either


def test_markup_in_messages_is_shown_as_it_stands(pair: tuple[Run, Run, GateReport]) -> None:
    run, _, gate = pair
    said = shown(run, replace(gate, findings=(Finding("note", None, "a [red]b[/] [/nothing]"),)))
    assert "a [red]b[/] [/nothing]" in said
    assert "\x1b[31m \ufffdgnp" not in said
    assert "\x00" not in said


def test_the_locked_split_shows_no_case(tmp_path: Path) -> None:
    cases = make_cases(30)
    records = make_records(cases, 0.5)
    gate = replace(judged(make_run(tmp_path / "dev", cases, records), None), looks=2)
    gate = replace(gate, findings=(Finding("invariant", Verdict.FAIL, "m must be 1", ("c-003",)), *gate.findings))
    said = shown(make_run(tmp_path / "test", cases, records, split="test"), gate)
    assert "c-003" not in said
    assert "2 looks at the test split before this one" in said
