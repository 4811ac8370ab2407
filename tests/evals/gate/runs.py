"""Runs made by hand: so many cases, such scores."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from app.releases import Release
from evals.gate.gate import Judge, Side
from evals.golden.cases import Case
from evals.scorers import SCORERS
from evals.suites import Suite
from evals.types import CaseRecord, GateReport, RunInfo
from tests.evals.conftest import ABSTAIN, make_case

SUITE = Suite.model_validate(
    {
        "name": "t",
        "sets": ("tiny",),
        "scorers": ("answer_match", "abstention", "quote_validity", "citation_recall"),
        "slices": ("md", "pdf"),
        "gate": {
            "metrics": {"answer_match": {"margin": 0.05, "min_effect": 0.01}, "abstention": {"margin": 0.05}},
            "slice_metrics": ("answer_match",),
            "invariants": ("quote_validity",),
        },
    }
)
RELEASE = Release("r1", "c", "scripted", "p", "e", {})
INFO = RunInfo(
    suite="t", suite_sha256=SUITE.sha256, split="dev", golden_sets={"tiny": "h"}, snapshots={"golden-tiny": "s"},
    release=RELEASE, variant="candidate", cases=(), repeats=1, commit=None, hardware={"cpu": "x"}, reference_ms=1.0,
    versions={}, started=datetime(2026, 11, 23, tzinfo=UTC),
)  # fmt: skip


def cases(count: int = 200, **changes: Any) -> dict[str, Case]:
    """Answerable cases in pairs of one group, one in ten unanswerable, one in ten of the slice pdf."""
    made = {}
    for i in range(count):
        slices = ["pdf"] if i % 10 == 9 else ["md"]
        more = {**ABSTAIN} if i % 10 == 0 else {}
        name = f"c-{i:03}"
        group = f"g{i // 2}"
        made[name] = make_case(id=name, **{"slices": slices, **more, "group": group, "severity": "minor", **changes})
    return made


def scores_of(case: Case, index: int) -> dict[str, float]:
    """Six in ten answers are right, in no order that groups would share; every refusal is."""
    if case.gold.action == "abstain":
        return {"abstention": 1.0}
    return {"answer_match": float(index * 7 % 10 < 6), "abstention": 1.0, "quote_validity": 1.0, "citation_recall": 0.5}


def side(
    given: Mapping[str, Case], harm: Callable[[Case, dict[str, float]], Mapping[str, float]] | None = None, **info: Any
) -> Side:
    """A run over cases; `harm` changes the scores of each."""
    records = []
    for index, (name, case) in enumerate(given.items()):
        scores = scores_of(case, index)
        after = dict(harm(case, dict(scores))) if harm else scores
        records.append(CaseRecord(name, case.sha256, 0, None, after, (), 0.1, total_ms=100.0 + index % 17))
    return Side(replace(INFO, cases=tuple(given), **info), records)


def judged(given: Mapping[str, Case], candidate: Side, baseline: Side | None = None, **changes: Any) -> GateReport:
    metrics = {name: SCORERS[name] for name in SUITE.scorers}
    judge = Judge(**{"suite": SUITE, "cases": given, "metrics": metrics, "resamples": 300, **changes})
    return judge.judge(candidate, baseline or side(given))
