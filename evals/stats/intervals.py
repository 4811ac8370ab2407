"""Means with intervals, where cases come in groups that rise and fall together."""

import math
import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evals.types import Estimate

Floats = NDArray[np.float64]

RESAMPLES = 2_000
SEED = 20261123


def by_group(values: Floats, groups: Sequence[str]) -> tuple[Floats, Floats]:
    """Sum and number of the values of each group. Both (groups,), in the order of the groups' names."""
    _, where = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.bincount(where, weights=values).astype(np.float64)
    return sums, np.bincount(where).astype(np.float64)


def estimate(values: Sequence[float], groups: Sequence[str] | None = None, level: float = 0.95) -> Estimate:
    """The mean with its bias-corrected and accelerated bootstrap interval (Efron 1987), seeded.

    There is no interval where resampling shows no spread (one group, or values that are all equal): it would look
    like certainty.

    Args:
        values: Scores.
        groups: The group of each value; whole groups are resampled. None: every value by itself.
        level: Coverage of the interval.
    """
    array = np.asarray(values, dtype=np.float64)
    sums, counts = by_group(array, groups) if groups is not None else (array, np.ones_like(array))
    low, high = bca(sums, counts, level) if len(set(values)) > 1 else (None, None)
    return Estimate(float(array.mean()), len(array), low, high)


def bca(
    sums: Floats, counts: Floats, level: float = 0.95, resamples: int = RESAMPLES
) -> tuple[float | None, float | None]:
    """The BCa interval of sum(sums) / sum(counts), resampling groups; (None, None) where it cannot be told."""
    if len(sums) < 2:
        return None, None
    from scipy.stats import DegenerateDataWarning, bootstrap

    def mean(some: Floats, how_many: Floats, axis: int = -1) -> Floats:
        total: Floats = some.sum(axis=axis) / how_many.sum(axis=axis)
        return total

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # it gives NaN, which becomes "no interval" below
        warnings.simplefilter("ignore", RuntimeWarning)
        found = bootstrap(
            (sums, counts),
            mean,
            paired=True,
            vectorized=True,
            confidence_level=level,
            n_resamples=resamples,
            method="BCa",
            rng=np.random.default_rng(SEED),
        ).confidence_interval
    low, high = float(found.low), float(found.high)
    return (low, high) if np.isfinite([low, high]).all() else (None, None)


def unseen(n: int, level: float = 0.95) -> float:
    """How often something may happen that n cases did not show: the "rule of three" at a two-sided level.

    Solves (1 - p)^n = (1 - level) / 2 for p; 3.7 / n at 95 %.
    """
    return 1.0 - math.pow((1.0 - level) / 2.0, 1.0 / n) if n else 1.0
