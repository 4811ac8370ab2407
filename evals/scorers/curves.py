"""What abstaining more would buy, and whether confidence can be believed. Pure functions of arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """Answering only the k most confident of n cases: coverage[k-1] = k/n, risk[k-1] = share of them that is wrong."""

    coverage: _Floats
    risk: _Floats


@dataclass(frozen=True, slots=True)
class Bin:
    """Cases whose confidence is in (low, high]; the first bin holds 0 too."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def risk_coverage(confidence: ArrayLike, correct: ArrayLike) -> RiskCoverage:
    """The risk-coverage curve (El-Yaniv and Wiener 2010; Geifman and El-Yaniv 2017).

    Args:
        confidence: Of each case, higher is surer; only the order counts.
        correct: Of each case, in [0, 1].

    Returns:
        The curve. Among equal confidences no order is better founded than another: each takes the mean error of its
        group, so that the curve does not depend on the order of the cases.

    Raises:
        ValueError: There is no case, the lengths differ, or a number is not finite.
    """
    sure, right = _checked(confidence, correct)
    levels, group, sizes = np.unique(-sure, return_inverse=True, return_counts=True)
    wrong = np.bincount(group, weights=1.0 - right, minlength=len(levels)) / sizes
    errors = np.cumsum(np.repeat(wrong, sizes))
    answered = np.arange(1, len(sure) + 1)
    return RiskCoverage(answered / len(sure), np.clip(errors / answered, 0.0, 1.0))


def aurc(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Area under the risk-coverage curve: mean risk over all coverages k/n (Geifman et al. 2019); lower is better."""
    return float(risk_coverage(confidence, correct).risk.mean())


def excess_aurc(confidence: ArrayLike, correct: ArrayLike) -> float:
    """AURC above that of the best order of the same cases, all right ones first (Geifman et al. 2019, E-AURC).

    0 means that confidence ranks perfectly; unlike AURC it does not reward mere accuracy. The best order is counted
    exactly, not by the paper's approximation for many cases.
    """
    _, right = _checked(confidence, correct)
    return max(0.0, aurc(confidence, correct) - aurc(right, right))


def calibration(confidence: ArrayLike, correct: ArrayLike, bins: int = 10) -> tuple[Bin, ...]:
    """Mean confidence beside accuracy in bins of equal width over [0, 1]; empty bins are left out.

    Raises:
        ValueError: There is no case, the lengths differ, or a confidence is outside [0, 1].
    """
    sure, right = _checked(confidence, correct)
    if sure.min() < 0 or sure.max() > 1:
        raise ValueError("a calibrated confidence is in [0, 1]")
    edges = np.linspace(0.0, 1.0, bins + 1)
    at = np.clip(np.searchsorted(edges, sure, side="left") - 1, 0, bins - 1)
    return tuple(
        Bin(float(edges[i]), float(edges[i + 1]), int(held.sum()), float(sure[held].mean()), float(right[held].mean()))
        for i in range(bins)
        if (held := at == i).any()
    )


def expected_calibration_error(confidence: ArrayLike, correct: ArrayLike, bins: int = 10) -> float:
    """ECE: mean distance of confidence from accuracy over the bins, weighted by their cases (Naeini et al. 2015)."""
    found: Sequence[Bin] = calibration(confidence, correct, bins)
    return sum(b.n * abs(b.confidence - b.accuracy) for b in found) / sum(b.n for b in found)


def _checked(confidence: ArrayLike, correct: ArrayLike) -> tuple[_Floats, _Floats]:
    sure, right = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if sure.ndim != 1 or sure.shape != right.shape or not len(sure):
        raise ValueError("confidence and correct are two lists of the same length, with at least one case")
    if not (np.isfinite(sure).all() and np.isfinite(right).all()) or right.min() < 0 or right.max() > 1:
        raise ValueError("confidence is finite, and correct is in [0, 1]")
    return sure, right
