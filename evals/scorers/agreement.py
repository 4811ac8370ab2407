"""How far a judge agrees with people, and what a judge's pass rate is once its mistakes are counted out."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

_RESAMPLES = 5_000
_SEED = 20261123
_LEVEL = 0.95

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Cohen's kappa with its 95 % interval, and the plain share of equal labels. None where it is not defined."""

    n: int
    share: float
    kappa: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Corrected:
    """A pass rate without the judge's bias, with its interval; `raw` is what the judge itself says."""

    raw: float
    rate: float
    low: float
    high: float


def agreement(judge: Sequence[Hashable], human: Sequence[Hashable]) -> Agreement:
    """Agreement of two raters over the same items.

    kappa = (observed - expected) / (1 - expected) (Cohen 1960); the interval is a percentile bootstrap over the items.
    It is not defined where both raters gave one and the same label throughout.

    Raises:
        ValueError: The lengths differ, or there is no item.
    """
    _same_length(judge, human)
    labels = {label: at for at, label in enumerate(dict.fromkeys((*judge, *human)))}
    table = np.zeros((len(labels), len(labels)))
    for one, other in zip(judge, human, strict=True):
        table[labels[one], labels[other]] += 1
    n = len(judge)
    share = float(np.trace(table)) / n
    kappa = float(_kappa(table[None])[0])
    if not np.isfinite(kappa):
        return Agreement(n, share, None, None, None)
    drawn = np.random.default_rng(_SEED).multinomial(n, table.ravel() / n, size=_RESAMPLES).reshape(-1, *table.shape)
    kappas = _kappa(drawn.astype(np.float64))
    low, high = np.quantile(kappas[np.isfinite(kappas)], [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Agreement(n, share, kappa, float(low), float(high))


def rogan_gladen(judge_all: ArrayLike, judge: ArrayLike, human: ArrayLike) -> Corrected:
    """The pass rate that a judge of known sensitivity and specificity points to.

    rate = (raw + specificity - 1) / (sensitivity + specificity - 1) (Rogan and Gladen 1978), within [0, 1]; interval
    of Lang and Reiczigel (2014), which counts what is not known of all three.

    Args:
        judge_all: The judge's verdicts (1 pass, 0 fail) on the cases whose rate is asked for.
        judge: Its verdicts on other cases, that people labelled.
        human: The people's labels of those.

    Raises:
        ValueError: The lengths differ, the labels hold no pass or no fail, or the judge is no better than chance.
    """
    every, said, true = (np.asarray(values, dtype=np.float64) for values in (judge_all, judge, human))
    _same_length(cast("Sequence[Hashable]", said), cast("Sequence[Hashable]", true))
    passed, failed = int((true == 1).sum()), int((true == 0).sum())
    if not passed or not failed or not len(every):
        raise ValueError("the labels must hold a pass and a fail, and there must be a case to estimate for")
    n, raw = len(every), float(every.mean())
    right_passes, right_fails = float(said[true == 1].sum()), float((1 - said[true == 0]).sum())
    youden = right_passes / passed + right_fails / failed - 1
    if youden <= 0:
        raise ValueError("the judge is no better than chance on the labelled cases: its verdicts carry no rate")
    rate = (raw + right_fails / failed - 1) / youden
    z = _z()
    wide = n + z**2
    p = (n * raw + z**2 / 2) / wide
    se, sp = (right_passes + 1) / (passed + 2), (right_fails + 1) / (failed + 2)
    middle = (p + sp - 1) / (se + sp - 1)
    of_se, of_sp = se * (1 - se) / (passed + 2), sp * (1 - sp) / (failed + 2)
    half = z * np.sqrt(p * (1 - p) / wide + middle**2 * of_se + (1 - middle) ** 2 * of_sp) / (se + sp - 1)
    centre = middle + 2 * z**2 * (middle * of_se - (1 - middle) * of_sp)
    low, high = np.clip([centre - half, centre + half], 0.0, 1.0)
    return Corrected(raw, float(np.clip(rate, 0.0, 1.0)), float(low), float(high))


def prediction_powered(judge_all: ArrayLike, judge: ArrayLike, human: ArrayLike) -> Corrected:
    """The pass rate as the judge's mean plus its mean error on labelled cases (Angelopoulos et al. 2023, for a mean).

    Needs no assumption on how the judge errs, only that the labelled cases were drawn like the others; the interval is
    the normal one, so give it some 30 labels or more.

    Args:
        judge_all: The judge's verdicts on the cases without labels.
        judge: Its verdicts on the labelled cases.
        human: The people's labels of those.

    Raises:
        ValueError: The lengths differ, or there are fewer than two of either.
    """
    every, said, true = (np.asarray(values, dtype=np.float64) for values in (judge_all, judge, human))
    _same_length(cast("Sequence[Hashable]", said), cast("Sequence[Hashable]", true))
    if len(every) < 2 or len(said) < 2:
        raise ValueError("at least two cases with labels and two without are needed")
    error = true - said
    rate = float(every.mean() + error.mean())
    half = _z() * float(np.sqrt(every.var(ddof=1) / len(every) + error.var(ddof=1) / len(error)))
    low, rate, high = (min(1.0, max(0.0, value)) for value in (rate - half, rate, rate + half))
    return Corrected(float(every.mean()), rate, low, high)


def _kappa(tables: _Floats) -> _Floats:
    """Of each confusion matrix of a stack; NaN where it is not defined."""
    n = tables.sum(axis=(1, 2))
    observed = np.trace(tables, axis1=1, axis2=2) / n
    expected = (tables.sum(axis=1) * tables.sum(axis=2)).sum(axis=1) / n**2
    room = np.where(np.isclose(expected, 1.0), np.nan, 1 - expected)
    return np.asarray((observed - expected) / room, dtype=np.float64)


def _z() -> float:
    from scipy.stats import norm

    return float(norm.ppf((1 + _LEVEL) / 2))


def _same_length(one: Sequence[Hashable], other: Sequence[Hashable]) -> None:
    if len(one) != len(other) or not len(one):
        raise ValueError("the judge's and the people's labels are of the same cases, and there is at least one")
