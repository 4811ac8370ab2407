"""Two runs over the same cases: is the candidate worse, and by how much?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evals.stats.intervals import RESAMPLES, SEED, Floats, bca, by_group, unseen

FLIPS = 20_000
_MAX_DENOMINATOR = 12
_MAX_STEPS = 100_000


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean of candidate minus baseline. `p` is one-sided: how often chance alone would lose as much."""

    mean: float
    low: float
    high: float
    p: float
    sd: float
    """Standard deviation of the difference of one case, inflated by the clustering of groups."""


def difference(
    values: Sequence[float], groups: Sequence[str], level: float = 0.95, span: float = 1.0, resamples: int = RESAMPLES
) -> Difference:
    """Compare two runs by the differences of their cases.

    The interval is BCa over groups. Where no case lost (or none won), resampling cannot imagine one: that side of the
    interval reaches at least as far as the rule of three allows for.

    Args:
        values: Candidate minus baseline, one a case, signed so that more is better.
        groups: The group of each case.
        level: Coverage of the interval.
        span: The most that one case could lose.
        resamples: Of the bootstrap.
    """
    array = np.asarray(values, dtype=np.float64)
    sums, counts = by_group(array, groups)
    mean = float(array.mean())
    low, high = bca(sums, counts, level, resamples) if array.any() and np.ptp(array) > 0 else (None, None)
    beyond = span * unseen(len(array), level)
    low, high = (mean if low is None else low), (mean if high is None else high)
    if not (array < 0).any():
        low = min(low, mean - beyond)
    if not (array > 0).any():
        high = max(high, mean + beyond)
    spread = float(np.sqrt(((sums - mean * counts) ** 2).sum() / max(len(array) - 1, 1)))
    return Difference(mean, low, high, sign_flip_p(sums), spread)


def sign_flip_p(sums: Floats) -> float:
    """One-sided p of "not worse": the share of sign patterns of the groups whose total is as low as the observed.

    Without a difference, each group's sum is as likely to have the other sign. For rates with every case its own group
    this is McNemar's exact test (1947); with larger groups it respects their clustering. Exact by convolution where
    all sums are multiples of one small fraction, else by 20,000 seeded flips.
    """
    moved = sums[np.abs(sums) > 1e-12]
    if not len(moved):
        return 1.0
    for scale in range(1, _MAX_DENOMINATOR + 1):
        steps = np.rint(moved * scale)
        if np.abs(steps - moved * scale).max() < 1e-9 and np.abs(steps).sum() <= _MAX_STEPS:
            return _exact(np.abs(steps).astype(int), int(steps.sum()))
    flips = _flips(len(moved))
    totals = flips @ np.abs(moved)
    return float((1 + (totals <= moved.sum() + 1e-9).sum()) / (1 + FLIPS))


def _exact(sizes: "np.ndarray[tuple[int], np.dtype[np.int_]]", observed: int) -> float:
    """P(sum of ±sizes <= observed) with fair signs."""
    reach = int(sizes.sum())
    chance = np.zeros(2 * reach + 1)
    chance[reach] = 1.0
    for size in sizes:
        chance = 0.5 * (np.roll(chance, size) + np.roll(chance, -size))  # never wraps: |sum| stays within reach
    return float(min(1.0, chance[: reach + observed + 1].sum()))


def _flips(groups: int) -> Floats:
    """(FLIPS, groups) of -1 and 1."""
    coins = np.random.default_rng(SEED).integers(0, 2, size=(FLIPS, groups), dtype=np.int8)
    return coins.astype(np.float64) * 2.0 - 1.0


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979): rejecting what is <= alpha keeps the family-wise error at alpha."""
    adjusted = [0.0] * len(p)
    highest = 0.0
    for rank, at in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        highest = max(highest, min(1.0, p[at] * (len(p) - rank)))
        adjusted[at] = highest
    return adjusted


def more_cases(found: Difference, pairs: int, margin: float, level: float = 0.95) -> int | None:
    """How many more cases would probably show a loss to be within the margin, if the difference stays what it is.

    n = (z sd / (margin + difference))^2, the size at which the lower bound meets -margin; None where no number would:
    the difference itself is beyond the margin.
    """
    from scipy.stats import norm

    room = margin + found.mean
    if room <= 0:
        return None
    z = float(norm.ppf(0.5 + level / 2))
    by_spread = (z * found.sd / room) ** 2
    by_rule_of_three = np.log((1 - level) / 2) / np.log1p(-min(margin, 0.999))
    return max(1, int(np.ceil(max(by_spread, by_rule_of_three))) - pairs)
