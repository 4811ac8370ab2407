"""The gate: a candidate against the release in production, and the verdict with its reasons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evals.gate.compare import Belongs, compare, compare_one
from evals.gate.pairing import Pair, pair_up
from evals.gate.rules import budgets, crashes, criticals, invariants, measured, over_budget, ratios
from evals.gate.slices import declared, worst_slice
from evals.golden.cases import Case
from evals.stats.intervals import RESAMPLES
from evals.suites import Margin, Suite
from evals.types import CaseRecord, Change, Comparison, Finding, GateReport, Metric, Ratio, RunInfo, Verdict

_ORDER = (Verdict.UNMEASURABLE, Verdict.FAIL, Verdict.INCONCLUSIVE)
_MAX_CHANGES = 200


@dataclass(frozen=True, slots=True)
class Side:
    """One run, as the gate needs it."""

    info: RunInfo
    records: Sequence[CaseRecord]


@dataclass(frozen=True, slots=True)
class Judge:
    """Gates candidates of one suite. Everything it needs to know besides the runs."""

    suite: Suite
    cases: Mapping[str, Case]
    looks: int = 0
    looks_budget: int = 1
    resamples: int = RESAMPLES
    metrics: Mapping[str, Metric] = field(default_factory=dict)

    def judge(self, candidate: Side, baseline: Side | None, variants: Mapping[str, Side] | None = None) -> GateReport:
        """Compare a candidate with the baseline, and with simpler variants where there are some.

        Args:
            candidate: The run to release or not.
            baseline: The run of the release in production; None where none was accepted: then only the rules that need
                none are applied, and a suite that asks for comparisons is INCONCLUSIVE.
            variants: Runs of simpler things, by name.
        """
        gate, metrics = self.suite.gate, self._metrics()
        findings = [
            *measured(candidate.info, candidate.records, gate, metrics),
            *crashes(self.cases, candidate.records),
            *invariants(self.cases, candidate.records, gate, metrics),
            *budgets(candidate.records, gate),
        ]
        comparisons: list[Comparison] = []
        scales: list[Ratio] = []
        pairs: list[Pair] = []
        unpaired: tuple[str, ...] = ()
        if baseline is None:
            if gate.metrics:
                message = "there is no baseline to compare with; accept one: evals baseline accept RUN --reason …"
                findings.append(Finding("inconclusive", Verdict.INCONCLUSIVE, message))
        else:
            pairs, unpaired = pair_up(self.cases, baseline.records, candidate.records)
            findings += self._pairable(baseline, candidate, pairs, unpaired)
            comparisons = compare(pairs, metrics, gate, self._slices(), self.looks_budget, self.resamples)
            findings += [*self._missing(comparisons), *_judged(comparisons), *criticals(pairs, gate, metrics)]
            found = list(ratios((baseline.info, baseline.records), (candidate.info, candidate.records), gate))
            scales = [one for one in found if isinstance(one, Ratio)]
            findings += [one for one in found if isinstance(one, Finding)]
            findings += over_budget(scales)
            findings += self._searched(pairs)
        lifts = self._lifts(candidate, variants or {})
        findings += _not_beaten(lifts)
        return GateReport(
            verdict=next((v for v in _ORDER if any(f.verdict is v for f in findings)), Verdict.PASS),
            findings=tuple(sorted(findings, key=_rank)),
            comparisons=tuple(comparisons),
            ratios=tuple(scales),
            lifts=lifts,
            changes=_changes(pairs, metrics, gate.metrics),
            pairs=len(pairs),
            unpaired=unpaired,
            alpha=gate.alpha / self.looks_budget,
            looks=self.looks,
        )

    def _metrics(self) -> Mapping[str, Metric]:
        return self.metrics or self.suite.metrics()

    def _slices(self) -> Mapping[str, Belongs]:
        return declared(self.suite.slices, self.cases.values())

    def _pairable(
        self, baseline: Side, candidate: Side, pairs: Sequence[Pair], unpaired: Sequence[str]
    ) -> "Sequence[Finding]":
        """Whether the two runs can be compared at all, and in what they differ that a reader should know."""
        found = []
        if len(pairs) < self.suite.gate.min_pairs:
            message = f"only {len(pairs)} cases are in both runs, {self.suite.gate.min_pairs} are needed"
            found.append(Finding("measurement", Verdict.UNMEASURABLE, message))
        if baseline.info.summary and baseline.info.summary.unmeasurable:
            found.append(Finding("measurement", Verdict.UNMEASURABLE, "the baseline itself is unmeasurable"))
        if unpaired:
            message = f"{len(unpaired)} cases are not compared: new, changed or not run in one of the two"
            found.append(Finding("note", None, message, tuple(unpaired[:20])))
        differ = [
            what.removesuffix("_sha256")
            for what in ("suite_sha256", "snapshots", "versions", "repeats")
            if getattr(baseline.info, what) != getattr(candidate.info, what)
        ]
        if differ:
            found.append(Finding("note", None, f"the two runs differ in: {', '.join(differ)}"))
        return found

    def _missing(self, comparisons: Sequence[Comparison]) -> "Sequence[Finding]":
        """A gated metric that could not be compared is no pass."""
        compared = {one.metric for one in comparisons if one.slice is None}
        return [
            Finding("measurement", Verdict.UNMEASURABLE, f"{name} has no score in both runs")
            for name in self.suite.gate.metrics
            if name not in compared
        ]

    def _searched(self, pairs: Sequence[Pair]) -> "Sequence[Finding]":
        """The worst slice that nobody declared, if it is worse beyond chance."""
        found = []
        level = self.suite.gate.alpha / 2 / self.looks_budget / max(len(self.suite.gate.slice_metrics), 1)
        for name in self.suite.gate.slice_metrics:
            worst = worst_slice(pairs, name, self._metrics()[name])
            if worst and worst.p <= level:
                message = (
                    f"{name} lost {-worst.mean:.3f} on the slice '{worst.name}' "
                    f"({worst.pairs} cases, {chance(worst.p)} over {worst.tried} slices)"
                )
                found.append(Finding("slice", Verdict.FAIL, message, worst.case_ids))
        return found

    def _lifts(self, candidate: Side, variants: Mapping[str, Side]) -> dict[str, tuple[Comparison, ...]]:
        metrics = self._metrics()
        lifts = {}
        for name, side in variants.items():
            pairs, _ = pair_up(self.cases, side.records, candidate.records)
            found = [
                compare_one(pairs, metric, metrics[metric], self.suite.gate.metrics.get(metric, Margin(margin=0.05)))
                for metric in self.suite.gate.metrics
            ]
            lifts[name] = tuple(one for one in found if one is not None)
        return lifts


def chance(p: float) -> str:
    """A p-value as it is written: never as nothing."""
    return "p < 0.0001" if p < 0.0001 else f"p {p:.4f}"


def _judged(comparisons: Sequence[Comparison]) -> list[Finding]:
    found = []
    for one in comparisons:
        where = f" on {one.slice}" if one.slice else ""
        change = f"{one.difference:+.3f} [{one.low:+.3f}, {one.high:+.3f}]".replace("-", "−")
        said = f"{one.metric}{where}: {one.baseline:.3f} → {one.candidate:.3f}, {change}"
        if one.outcome == "worse":
            found.append(Finding("regression", Verdict.FAIL, f"{said}, {chance(one.p_holm)} after Holm"))
        elif one.outcome == "unclear" and one.slice is None:
            # A slice is too small to be proven unharmed; it fails when harm is proven, and is shown otherwise.
            more = (
                f"; about {one.more_cases} more cases would decide"
                if one.more_cases
                else "; more cases will hardly decide"
            )
            found.append(Finding("inconclusive", Verdict.INCONCLUSIVE, f"{said}, margin {one.margin:g}{more}"))
    return found


def _not_beaten(lifts: Mapping[str, tuple[Comparison, ...]]) -> list[Finding]:
    """A flag for each simpler thing that the candidate beats in no metric for sure; the verdict stays."""
    return [
        Finding("baselines", None, f"the candidate is not shown to beat {name} in any metric: is it worth its cost?")
        for name, found in lifts.items()
        if found and not any(one.low > 0 for one in found)
    ]


def _changes(pairs: Sequence[Pair], metrics: Mapping[str, Metric], gated: Mapping[str, Margin]) -> tuple[Change, ...]:
    """The worst change of each case that changed, worst first."""
    changes = []
    for pair in pairs:
        moved = []
        for name in gated:
            if name in pair.baseline and name in pair.candidate and pair.baseline[name] != pair.candidate[name]:
                sign = 1 if metrics[name].better == "higher" else -1
                gain = sign * (pair.candidate[name] - pair.baseline[name])
                moved.append((gain, Change(pair.case.id, name, pair.baseline[name], pair.candidate[name])))
        if moved:
            changes.append(min(moved, key=lambda item: item[0]))
    return tuple(change for _, change in sorted(changes, key=lambda item: item[0])[:_MAX_CHANGES])


def _rank(finding: Finding) -> int:
    return _ORDER.index(finding.verdict) if finding.verdict in _ORDER else len(_ORDER)
