"""Metric by metric and slice by slice: what is worse, what is not, what cannot be told."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from evals.gate.pairing import Pair, gains
from evals.golden.cases import Case
from evals.stats.intervals import RESAMPLES
from evals.stats.paired import difference, holm, more_cases
from evals.suites import Gate, Margin
from evals.types import Comparison, Metric

MIN_SLICE_PAIRS = 8
"""Fewer pairs than this could hardly be significant after Holm; testing them would cost the others their power."""

Belongs = Callable[[Case], bool]


def compare(
    pairs: Sequence[Pair],
    metrics: Mapping[str, Metric],
    gate: Gate,
    slices: Mapping[str, Belongs],
    looks_budget: int = 1,
    resamples: int = RESAMPLES,
) -> list[Comparison]:
    """All comparisons that a gate asks for, under one Holm correction.

    Args:
        pairs: Cases in both runs.
        metrics: By name; every one that the gate names.
        gate: Margins, minimum effects, level.
        slices: Name and membership of each slice.
        looks_budget: How many looks share the error rates: 1 for the dev split.
        resamples: Of each bootstrap.
    """
    asked: list[tuple[str, str | None, Sequence[Pair]]] = [(name, None, pairs) for name in gate.metrics]
    for name in gate.slice_metrics:
        for title, belongs in slices.items():
            asked.append((name, title, [pair for pair in pairs if belongs(pair.case)]))
    level = 1.0 - 0.05 / looks_budget
    found = []
    for name, where, some in asked:
        margin = gate.metrics.get(name) or Margin(margin=0.05)
        one = compare_one(some, name, metrics[name], margin, level, resamples)
        if one is not None and (where is None or one.pairs >= MIN_SLICE_PAIRS):
            found.append(replace(one, slice=where))
    corrected = holm([one.p for one in found])
    alpha = gate.alpha / 2 / looks_budget  # the other half is for the search for the worst slice
    return [replace(one, p_holm=p, outcome=_outcome(one, p, alpha)) for one, p in zip(found, corrected, strict=True)]


def compare_one(
    pairs: Sequence[Pair], name: str, metric: Metric, margin: Margin, level: float = 0.95, resamples: int = RESAMPLES
) -> Comparison | None:
    """One metric over some pairs, without any correction; None where no pair has the score."""
    scored, gained = gains(pairs, name, metric)
    if not scored:
        return None
    groups = [pair.case.group for pair in scored]
    before = np.asarray([pair.baseline[name] for pair in scored])
    after = np.asarray([pair.candidate[name] for pair in scored])
    span = float(max(np.ptp(np.concatenate([before, after])), 1.0 if metric.binary else 0.0))
    seen = difference(gained, groups, level, span, resamples)
    one = Comparison(
        metric=name,
        slice=None,
        pairs=len(scored),
        groups=len(set(groups)),
        baseline=float(before.mean()),
        candidate=float(after.mean()),
        difference=seen.mean,
        low=seen.low,
        high=seen.high,
        p=seen.p,
        p_holm=seen.p,
        margin=margin.margin,
        min_effect=margin.min_effect,
        outcome="unclear",
        more_cases=None if seen.low > -margin.margin else more_cases(seen, len(scored), margin.margin, level),
    )
    return replace(one, outcome=_outcome(one, one.p, 1.0 - level))


def _outcome(one: Comparison, p: float, alpha: float) -> Literal["worse", "not_worse", "unclear"]:
    if p <= alpha and one.difference <= -one.min_effect:
        return "worse"
    return "not_worse" if one.low > -one.margin else "unclear"
