"""What a bench is asked and what it says, and the intervals of its numbers."""

import warnings
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from evals.bench.read import QueryField

if TYPE_CHECKING:
    from app.bootstrap import Services

RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class BenchRequest:
    """What to score. `fresh` says that the home was empty: only then does the speed of an ingest mean something."""

    path: Path
    limit: int | None = None
    query_field: QueryField = "text"
    seed: int = 0
    fresh: bool = True
    leave_one_source_out: bool = False
    """Fit anew without the source that is scored, where the kind has something to fit."""
    everything: bool = False
    """Ask the half too on which weights were fitted, where the kind has one."""


@dataclass(frozen=True, slots=True)
class Score:
    """A number with its 95 % interval over n queries. None where it does not apply or the data cannot tell one."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0


Scores = Mapping[str, Score]


@dataclass(frozen=True, slots=True)
class BenchResult:
    """What came out. `about` says how it was measured: documents, settings, what bounds the numbers."""

    kind: str
    path: str
    n: int
    metrics: Scores
    baselines: Mapping[str, Scores] = field(default_factory=dict)
    by_source: Mapping[str, Scores] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For machines; numbers are rounded to what their intervals can bear."""
        return {
            "kind": self.kind,
            "path": self.path,
            "n": self.n,
            "metrics": _as_json(self.metrics),
            "baselines": {name: _as_json(scores) for name, scores in self.baselines.items()},
            "by_source": {name: _as_json(scores) for name, scores in self.by_source.items()},
            "about": dict(self.about),
        }


Step = Callable[[str, int, int], None]
"""Called with (step, done, total) as work goes on."""

Kind = Callable[["Services", BenchRequest, Step | None], Coroutine[Any, Any, BenchResult]]
"""Scores what ships on the data of a request; trains nothing."""


def mean(values: Sequence[float], seed: int) -> Score:
    """The mean with its BCa bootstrap interval over queries."""
    return bootstrapped((values,), _mean, seed, "BCa")


def quantile(values: Sequence[float], q: float, seed: int) -> Score:
    """A quantile with its percentile bootstrap interval: BCa's jackknife does not hold for quantiles."""

    def statistic(sample: Any, axis: int = -1) -> Any:
        return np.quantile(sample, q, axis=axis)

    return bootstrapped((values,), statistic, seed, "percentile")


def bootstrapped(
    samples: Sequence[Sequence[float]],
    statistic: Callable[..., Any],
    seed: int,
    method: Literal["BCa", "percentile"],
    *,
    vectorized: bool = True,
) -> Score:
    """A statistic of independently resampled samples, with its 95 % interval.

    There is no interval where every sample is constant: resampling shows no spread, which would look like certainty.
    """
    from scipy.stats import DegenerateDataWarning, bootstrap

    n = sum(len(sample) for sample in samples)
    if any(len(sample) == 0 for sample in samples):
        return Score(None, n=n)
    arrays = tuple(np.asarray(sample, dtype=float) for sample in samples)
    value = float(statistic(*arrays))
    if all(array.min() == array.max() for array in arrays) or min(map(len, arrays)) < 2:
        return Score(value, n=n)
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", DegenerateDataWarning)  # it gives NaN, which becomes "no interval" below
        rng = np.random.default_rng(seed)
        found = bootstrap(
            arrays, statistic, n_resamples=RESAMPLES, method=method, rng=rng, vectorized=vectorized, batch=200
        ).confidence_interval
    low, high = float(found.low), float(found.high)
    return Score(value, low, high, n) if np.isfinite([low, high]).all() else Score(value, n=n)


def sampled(count: int, limit: int | None, seed: int) -> list[int]:
    """Positions of the rows to score, in order: all, or `limit` of them drawn with the seed."""
    if limit is None or limit >= count:
        return list(range(count))
    return sorted(int(i) for i in np.random.default_rng(seed).choice(count, size=limit, replace=False))


def _mean(sample: Any, axis: int = -1) -> Any:
    return np.mean(sample, axis=axis)


def _as_json(scores: Scores) -> dict[str, dict[str, float | int | None]]:
    return {
        name: {key: round(value, 6) if isinstance(value, float) else value for key, value in asdict(score).items()}
        for name, score in scores.items()
    }
