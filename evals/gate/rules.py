"""What needs no average: invariants, critical cases, crashes, budgets, and whether anything was measured at all."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Literal

import numpy as np

from evals.gate.pairing import Pair
from evals.golden.cases import Case
from evals.stats.intervals import SEED, Floats
from evals.suites import Gate
from evals.types import CaseRecord, Finding, Metric, Ratio, RunInfo, Verdict

_RESAMPLES = 2_000
_MAX_NAMED = 20
_EVEN = 1.1  # loads of two runs that differ by less explain nothing


def measured(
    candidate: RunInfo, records: Sequence[CaseRecord], gate: Gate, metrics: Mapping[str, Metric]
) -> Iterator[Finding]:
    """UNMEASURABLE where too many cases, or scores of a gated metric, are missing for no fault of the answer."""
    cases = len(candidate.cases)
    lost = {r.case_id for r in records if any(f.kind == "infrastructure" for f in r.failures)}
    if len(lost) > gate.max_failed_share * cases:
        message = (
            f"{len(lost)} of {cases} cases failed for reasons outside the release (bound {gate.max_failed_share:.0%})"
        )
        yield Finding("measurement", Verdict.UNMEASURABLE, message, _some(lost))
    for name in metrics:
        broken = {r.case_id for r in records if any(f.scorer == name for f in r.failures)}
        if broken and name in {*gate.metrics, *gate.slice_metrics, *gate.invariants}:
            over = len(broken) > gate.max_failed_share * cases
            invariant = name in gate.invariants  # what must hold for every case must be measured on every case
            verdict = Verdict.UNMEASURABLE if over or invariant else None
            yield Finding("measurement", verdict, f"the scorer {name} broke on {len(broken)} cases", _some(broken))


def crashes(cases: Mapping[str, Case], records: Sequence[CaseRecord]) -> Iterator[Finding]:
    """FAIL where the release itself broke: a user would have seen an error."""
    broke = {r.case_id: f for r in records for f in r.failures if f.kind == "crash"}
    if broke:
        first = next(iter(broke.values()))
        message = f"{len(broke)} cases made the release raise, first {first.error}: {first.message[:120]}"
        yield Finding("crash", Verdict.FAIL, message, _some(set(broke)))


def invariants(
    cases: Mapping[str, Case], records: Sequence[CaseRecord], gate: Gate, metrics: Mapping[str, Metric]
) -> Iterator[Finding]:
    """FAIL where a metric that must be perfect is not, on any case that waits for no feature."""
    for name in gate.invariants:
        metric = metrics[name]
        best = metric.high if metric.better == "higher" else metric.low
        wrong = {
            record.case_id
            for record in records
            if name in record.scores and record.scores[name] != best and cases[record.case_id].pending is None
        }
        if wrong:
            yield Finding("invariant", Verdict.FAIL, f"{name} must be {best:g} everywhere", _some(wrong))


def criticals(pairs: Sequence[Pair], gate: Gate, metrics: Mapping[str, Metric]) -> Iterator[Finding]:
    """FAIL on a critical case that the baseline got right in every repeat and the candidate in none.

    Right in some repeats only, it is unstable: that is INCONCLUSIVE, since chance alone may have shown it.
    """
    for name in gate.metrics:
        metric = metrics[name]
        if not metric.binary:
            continue
        best = metric.high if metric.better == "higher" else metric.low
        worst = metric.low if metric.better == "higher" else metric.high
        held = [
            p for p in pairs if p.case.severity == "critical" and p.baseline.get(name) == best and name in p.candidate
        ]
        if lost := {pair.case.id for pair in held if pair.candidate[name] == worst}:
            message = f"{name}: {len(lost)} critical cases were right in the baseline and are wrong now"
            yield Finding("critical", Verdict.FAIL, message, _some(lost))
        if shaky := {pair.case.id for pair in held if pair.candidate[name] not in (best, worst)}:
            message = f"{name}: {len(shaky)} critical cases are right in some repeats only"
            yield Finding("critical", Verdict.INCONCLUSIVE, message, _some(shaky))


def budgets(candidate: Sequence[CaseRecord], gate: Gate) -> Iterator[Finding]:
    """FAIL where a turn's p95 is beyond its budget on any hardware."""
    totals = [record.total_ms for record in candidate if record.total_ms is not None]
    if totals and (p95 := float(np.percentile(totals, 95))) > gate.p95_ms:
        yield Finding("latency", Verdict.FAIL, f"p95 of a turn is {p95:.0f} ms, the budget {gate.p95_ms:.0f} ms")


def ratios(
    baseline: tuple[RunInfo, Sequence[CaseRecord]], candidate: tuple[RunInfo, Sequence[CaseRecord]], gate: Gate
) -> Iterator[Ratio | Finding]:
    """Latency and cost over the baseline's, paired by case; or why they are not compared.

    The reference arithmetic timed in both runs tells how much busier the machine was. How far a busier machine slows
    a turn is not known, so the ratio is computed with no correction and with the full one: the interval spans both,
    and only what is too slow on both counts is proven.
    """
    before, after = (_medians(records) for _, records in (baseline, candidate))
    shared = sorted(before.keys() & after.keys())
    (then, _), (now, _) = baseline, candidate
    if then.hardware != now.hardware:
        yield Finding("note", None, "latency is not compared: the baseline was measured on other hardware")
    elif len(shared) >= gate.min_pairs:
        load = (now.reference_ms / then.reference_ms) if now.reference_ms and then.reference_ms else 1.0
        old, new = (np.asarray([side[name] for name in shared]) for side in (before, after))
        for name, percent, allowed in (("p50", 50, gate.p50_ratio), ("p95", 95, gate.p95_ratio)):
            raw, scaled = (_ratio(f"latency {name} (ms)", old, new / by, percent, allowed) for by in (1.0, load))
            slower = max(raw, scaled, key=lambda one: one.ratio)
            yield replace(slower, low=min(raw.low, scaled.low), high=max(raw.high, scaled.high), load=load)
    costs = [_costs(records) for _, records in (baseline, candidate)]
    priced = sorted(costs[0].keys() & costs[1].keys())
    if priced and sum(costs[0].values()) > 0:
        old, new = (np.asarray([cost[name] for name in priced]) for cost in costs)
        yield _ratio("cost per turn (USD)", old, new, None, gate.cost_ratio)


def over_budget(found: Sequence[Ratio]) -> Iterator[Finding]:
    """FAIL where a ratio is proven to be beyond what is allowed, INCONCLUSIVE where it only seems so."""
    for ratio in found:
        rule: Literal["cost", "latency"] = "cost" if ratio.name.startswith("cost") else "latency"
        interval = f"[{ratio.low:.2f}, {ratio.high:.2f}]"
        said = f"{ratio.name}: {ratio.ratio:.2f} × the baseline {interval}, allowed {ratio.allowed:.2f}"
        if ratio.low > ratio.allowed:
            yield Finding(rule, Verdict.FAIL, said)
        elif ratio.ratio > ratio.allowed:
            uneven = max(ratio.load, 1 / ratio.load)
            busy = "now" if ratio.load > 1 else "when the baseline ran"
            why = f"; the machine was {uneven:.1f} × busier {busy}: measure that run again on a quiet machine"
            yield Finding(rule, Verdict.INCONCLUSIVE, said + (why if uneven > _EVEN else ""))


def _ratio(name: str, old: Floats, new: Floats, percent: int | None, allowed: float) -> Ratio:
    """Ratio of a percentile (None: of the mean) with its percentile-bootstrap interval over cases."""

    def level(values: Floats) -> Floats:
        found = values.mean(axis=-1) if percent is None else np.percentile(values, percent, axis=-1)
        return np.asarray(found, dtype=np.float64)

    picks = np.random.default_rng(SEED).integers(0, len(old), size=(_RESAMPLES, len(old)))
    low, high = np.percentile(level(new[picks]) / np.maximum(level(old[picks]), 1e-12), [2.5, 97.5])
    before, after = float(level(old)), float(level(new))
    return Ratio(name, before, after, after / max(before, 1e-12), float(low), float(high), allowed)


def _medians(records: Sequence[CaseRecord]) -> dict[str, float]:
    timed = sorted((r.case_id, r.total_ms) for r in records if r.total_ms is not None)
    return {name: float(np.median([ms for _, ms in some])) for name, some in groupby(timed, key=lambda pair: pair[0])}


def _costs(records: Sequence[CaseRecord]) -> dict[str, float]:
    priced = sorted((r.case_id, r.scores["cost_usd"]) for r in records if "cost_usd" in r.scores)
    return {name: float(np.mean([usd for _, usd in some])) for name, some in groupby(priced, key=lambda pair: pair[0])}


def _some(ids: set[str]) -> tuple[str, ...]:
    return tuple(sorted(ids)[:_MAX_NAMED])
