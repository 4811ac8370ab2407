"""Which cases a reader should see first, and which parts of the cases go wrong most."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from evals.golden.cases import Case
from evals.report.cases import by_case, what_is_wrong
from evals.review.types import SEVERITIES, Row, Side, SliceRow
from evals.running.records import Run
from evals.summary import mean_scores
from evals.types import CaseRecord, Metric

_Z = 1.959964
"""Of the 95 % interval."""


def rank(run: Run, baseline: Run | None, metrics: Mapping[str, Metric], sets: Mapping[str, str]) -> list[Row]:
    """The cases of a run, worst misses first: by severity, then by loss, then by what was lost against the baseline.

    Args:
        run: To review.
        baseline: To compare with; a case counts as the same only where both runs asked it in the same words.
        metrics: What the scores mean. Those without bounds (time, tokens, money) say nothing of quality.
        sets: The golden set of each case id, today.
    """
    after, before = by_case(run.records), by_case(baseline.records if baseline else ())
    scores, old_scores = mean_scores(run.records), mean_scores(baseline.records if baseline else ())
    rows = []
    for case in run.cases:
        records = after.get(case.id)
        if not records:
            continue
        old = [record for record in before.get(case.id, ()) if record.case_sha256 == records[0].case_sha256]
        candidate = _side(case, records, scores, metrics)
        was = _side(case, old, old_scores, metrics) if old else None
        rows.append(_row(case, sets.get(case.id, ""), candidate, was, metrics))
    return sorted(rows, key=_order)


def quality(scores: Mapping[str, float], metrics: Mapping[str, Metric]) -> dict[str, float]:
    """The scores that tell quality, each brought to [0, 1] with 1 best."""
    found = {}
    for name, value in scores.items():
        metric = metrics.get(name)
        if metric and math.isfinite(metric.high) and math.isfinite(metric.low) and metric.high > metric.low:
            share = (value - metric.low) / (metric.high - metric.low)
            found[name] = share if metric.better == "higher" else 1 - share
    return found


def confusing(rows: Sequence[Row]) -> list[SliceRow]:
    """Kinds, slices and severities, the most surely confusing first: by the lower end of the interval.

    Where few cases stand behind a share, the lower end is low: one miss out of one is not the worst slice.
    """
    parts: defaultdict[tuple[str, str], list[bool]] = defaultdict(list)
    for row in rows:
        case = row.case
        named = [("kind", case.kind), ("severity", case.severity), *(("slice", name) for name in case.slices)]
        for part in named:
            parts[part].append(bool(row.how))
    found = []
    for (field, name), wrong in parts.items():
        low, high = wilson(sum(wrong), len(wrong))
        found.append(SliceRow(field, name, len(wrong), sum(wrong), low, high))
    return sorted(found, key=lambda part: (-part.low, -part.share, part.name))


def wilson(hits: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    middle = (hits + _Z**2 / 2) / (n + _Z**2)
    half = _Z / (n + _Z**2) * math.sqrt(hits * (n - hits) / n + _Z**2 / 4)
    return max(0.0, middle - half), min(1.0, middle + half)


def _side(
    case: Case, records: Sequence[CaseRecord], scores: Mapping[str, Mapping[str, float]], metrics: Mapping[str, Metric]
) -> Side:
    def worth(record: CaseRecord) -> tuple[bool, float]:
        found = quality(record.scores, metrics)
        return not what_is_wrong(case, record), _mean(found.values())

    return Side(min(records, key=worth), scores.get(case.id, {}), len(records))


def _row(case: Case, set_name: str, candidate: Side, was: Side | None, metrics: Mapping[str, Metric]) -> Row:
    now = quality(candidate.scores, metrics)
    then = quality(was.scores, metrics) if was else {}
    shared = sorted(now.keys() & then.keys())
    failed = candidate.record.result is None
    return Row(
        case=case,
        set_name=set_name,
        candidate=candidate,
        baseline=was,
        how=what_is_wrong(case, candidate.record),
        loss=1.0 if failed else 1 - _mean(now.values()),
        gain=_mean(now[name] for name in shared) - _mean(then[name] for name in shared) if shared else None,
        changed=any(now[name] != then[name] for name in shared)
        or (was is not None and failed != (was.record.result is None)),
    )


def _order(row: Row) -> tuple[bool, bool, int, float, float, str]:
    """Misses first; cases that wait for a feature after those that should work."""
    waits = row.case.pending is not None
    return not row.how, waits, SEVERITIES.index(row.case.severity), -row.loss, row.gain or 0.0, row.case.id


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else 1.0
