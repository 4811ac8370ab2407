"""Records in numbers: means with intervals, overall and by group; refusals as counts; latency; what is unstable."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from evals.golden.cases import Case
from evals.stats.intervals import estimate
from evals.suites import Suite
from evals.types import CaseRecord, Estimate, Latency, Refusals, Summary

Scores = Mapping[str, Mapping[str, float]]
"""By case id and metric: the mean over repeats."""


def mean_scores(records: Iterable[CaseRecord]) -> Scores:
    """The mean of each score of each case over its repeats; a repeat that has no score does not count."""
    seen: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        for name, value in record.scores.items():
            seen[record.case_id][name].append(value)
    return {case: {name: sum(values) / len(values) for name, values in scores.items()} for case, scores in seen.items()}


def summarise(cases: Mapping[str, Case], records: Sequence[CaseRecord], suite: Suite) -> Summary:
    """Sum up a run. A case counts for a metric where it has a score; failures count only as failures.

    Args:
        cases: By id.
        records: Of those cases.
        suite: What was run.
    """
    built = {name: case for name, case in cases.items() if case.pending is None}
    scores = mean_scores(records)
    failed = {record.case_id for record in records if any(f.kind != "crash" for f in record.failures)}

    def of(some: Iterable[Case]) -> Mapping[str, Estimate]:
        return _estimates(list(some), scores, suite.scorers)

    waiting = Counter(case.pending for case in cases.values() if case.pending)
    return Summary(
        cases=len(cases),
        failed=len(failed),
        unmeasurable=len(failed) > suite.gate.max_failed_share * len(cases),
        overall=of(built.values()),
        by_kind={
            kind: of(case for case in built.values() if case.kind == kind)
            for kind in sorted({case.kind for case in built.values()})
        },
        by_slice={name: of(case for case in built.values() if name in case.slices) for name in suite.slices},
        pending={
            feature: of(case for case in cases.values() if case.pending == feature) for feature in sorted(waiting)
        },
        pending_cases=dict(sorted(waiting.items())),
        unstable=unstable(records),
        refusals=_refusals(built, records),
        latency=_latency(records),
    )


def unstable(records: Iterable[CaseRecord]) -> tuple[str, ...]:
    """Cases whose repeats disagree in a quality score (latencies always do)."""
    seen: defaultdict[tuple[str, str], set[float]] = defaultdict(set)
    for record in records:
        for name, value in record.scores.items():
            if not name.endswith("_ms"):
                seen[record.case_id, name].add(round(value, 9))
    return tuple(sorted({case for (case, _), values in seen.items() if len(values) > 1}))


def _estimates(cases: Sequence[Case], scores: Scores, scorers: Sequence[str]) -> Mapping[str, Estimate]:
    found = {}
    for name in scorers:
        scored = [(scores[case.id][name], case.group) for case in cases if name in scores.get(case.id, {})]
        if scored:
            found[name] = estimate([value for value, _ in scored], [group for _, group in scored])
    return found


def _refusals(cases: Mapping[str, Case], records: Iterable[CaseRecord]) -> Refusals:
    seen = [
        (cases[record.case_id].gold.action == "abstain", record.result.abstained)
        for record in records
        if record.result is not None
        and record.case_id in cases
        and cases[record.case_id].gold.action in ("answer", "abstain")
    ]
    return Refusals(
        answered=seen.count((False, False)),
        right_refusals=seen.count((True, True)),
        wrong_refusals=seen.count((False, True)),
        wrong_answers=seen.count((True, False)),
    )


def _latency(records: Iterable[CaseRecord]) -> Latency | None:
    totals = [record.total_ms for record in records if record.total_ms is not None]
    if not totals:
        return None
    p50, p95, p99 = np.percentile(totals, [50, 95, 99])
    return Latency(round(float(p50), 3), round(float(p95), 3), round(float(p99), 3))
