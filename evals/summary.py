"""Records in numbers: means with intervals, overall and by group; refusals as counts; latency."""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evals.cases import Case
from evals.types import CaseRecord, Estimate, Latency, Refusals, Summary

MAX_FAILED_SHARE = 0.05
"""Above this share of cases that could not be measured, a run says nothing."""

_RESAMPLES = 2_000
_SEED = 20261123

Measured = tuple[Case, CaseRecord]


def summarise(measured: Sequence[Measured], scorers: Sequence[str], slices: Sequence[str]) -> Summary:
    """Sum up a run. A case counts for a metric where it has a score; failures count only as failures."""
    failed = sum(bool(record.failures) for _, record in measured)
    kinds = sorted({case.kind for case, _ in measured})
    return Summary(
        cases=len(measured),
        failed=failed,
        unmeasurable=failed > MAX_FAILED_SHARE * len(measured),
        overall=_estimates([record for _, record in measured], scorers),
        by_kind={
            kind: _estimates([record for case, record in measured if case.kind == kind], scorers) for kind in kinds
        },
        by_slice={
            name: _estimates([record for case, record in measured if name in case.slices], scorers) for name in slices
        },
        refusals=_refusals(measured),
        latency=_latency(measured),
    )


def estimate(values: Sequence[float]) -> Estimate:
    """The mean with its 95 % interval: bias-corrected and accelerated bootstrap (Efron 1987), seeded.

    There is no interval for a single value or for values that are all equal: resampling them shows no spread, which
    would look like certainty.
    """
    mean = float(np.mean(values))
    low, high = _bca(np.asarray(values)) if len(set(values)) > 1 else (None, None)
    return Estimate(mean, len(values), low, high)


def _bca(values: NDArray[np.float64]) -> tuple[float | None, float | None]:
    from scipy.stats import DegenerateDataWarning, bootstrap

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # it gives NaN, which becomes "no interval" below
        found = bootstrap(
            (values,), np.mean, n_resamples=_RESAMPLES, method="BCa", rng=np.random.default_rng(_SEED)
        ).confidence_interval
    low, high = float(found.low), float(found.high)
    return (low, high) if np.isfinite([low, high]).all() else (None, None)


def _estimates(records: Sequence[CaseRecord], scorers: Sequence[str]) -> Mapping[str, Estimate]:
    values = {name: [record.scores[name] for record in records if name in record.scores] for name in scorers}
    return {name: estimate(scores) for name, scores in values.items() if scores}


def _refusals(measured: Sequence[Measured]) -> Refusals:
    seen = [
        (case.gold.action == "abstain", record.result.abstained)
        for case, record in measured
        if record.result is not None and case.gold.action in ("answer", "abstain")
    ]
    return Refusals(
        answered=seen.count((False, False)),
        right_refusals=seen.count((True, True)),
        wrong_refusals=seen.count((False, True)),
        wrong_answers=seen.count((True, False)),
    )


def _latency(measured: Sequence[Measured]) -> Latency | None:
    totals = [record.result.timings_ms["total"] for _, record in measured if record.result is not None]
    if not totals:
        return None
    p50, p95 = np.percentile(totals, [50, 95])
    return Latency(round(float(p50), 3), round(float(p95), 3))
