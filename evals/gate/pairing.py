"""Candidate and baseline side by side, case by case."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evals.golden.cases import Case
from evals.summary import mean_scores
from evals.types import CaseRecord, Metric


@dataclass(frozen=True, slots=True)
class Pair:
    """One case in both runs: mean scores over repeats, and the median latency where it was measured."""

    case: Case
    baseline: Mapping[str, float]
    candidate: Mapping[str, float]


def pair_up(
    cases: Mapping[str, Case], baseline: Sequence[CaseRecord], candidate: Sequence[CaseRecord]
) -> tuple[list[Pair], tuple[str, ...]]:
    """Pair the cases that both runs asked in the same words; the ids of all others.

    Cases that wait for a feature are in neither list: they are counted apart.
    """
    hashes = {name: case.sha256 for name, case in cases.items()}
    asked = [
        {record.case_id for record in records if hashes.get(record.case_id) == record.case_sha256}
        for records in (baseline, candidate)
    ]
    before, after = mean_scores(baseline), mean_scores(candidate)
    both = asked[0] & asked[1]
    pairs = [
        Pair(case, before.get(name, {}), after.get(name, {}))
        for name, case in cases.items()
        if name in both and case.pending is None
    ]
    known = {record.case_id for records in (baseline, candidate) for record in records}
    return pairs, tuple(sorted(name for name in known - both if name not in cases or cases[name].pending is None))


def gains(pairs: Sequence[Pair], name: str, metric: Metric) -> tuple[list[Pair], list[float]]:
    """The pairs that have a score in both runs, and what each gained; more is better whatever the metric's sense."""
    scored = [pair for pair in pairs if name in pair.baseline and name in pair.candidate]
    sign = 1.0 if metric.better == "higher" else -1.0
    return scored, [sign * (pair.candidate[name] - pair.baseline[name]) for pair in scored]
