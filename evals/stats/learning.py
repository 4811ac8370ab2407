"""How an estimate settles as cases are added: whether more of them would tell more."""

from collections.abc import Sequence

import numpy as np

from evals.stats.intervals import SEED, bca, by_group
from evals.types import Estimate

STEPS = 10
MIN_GROUPS = 5
"""Fewer make no interval worth looking at."""


def learning_curve(values: Sequence[float], groups: Sequence[str], steps: int = STEPS) -> list[Estimate]:
    """The mean and its 95 % BCa interval over a growing number of groups, taken in one seeded order.

    The last point is the estimate over all. There is no curve under `MIN_GROUPS` groups; a step whose values are all
    equal has no interval.

    Args:
        values: One a case.
        groups: The group of each case; whole groups are added.
        steps: Points, at geometric distances.
    """
    sums, counts = by_group(np.asarray(values, dtype=np.float64), groups)
    if len(sums) < MIN_GROUPS:
        return []
    order = np.random.default_rng(SEED).permutation(len(sums))
    sums, counts = sums[order], counts[order]
    found = []
    for size in np.unique(np.geomspace(MIN_GROUPS, len(sums), steps).round().astype(int)):
        some, many = sums[:size], counts[:size]
        low, high = bca(some, many) if np.ptp(some / many) > 0 else (None, None)
        found.append(Estimate(float(some.sum() / many.sum()), int(many.sum()), low, high))
    return found
