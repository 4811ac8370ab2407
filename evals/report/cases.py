"""What single cases show: misses, changes against the baseline, and nothing at all of the locked test split."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from evals.golden.cases import Case
from evals.running.records import Run
from evals.scorers import SCORERS
from evals.types import CaseRecord, Change, GateReport

SEVERITIES = ("critical", "major", "minor")


@dataclass(frozen=True, slots=True)
class Miss:
    """A case that went wrong, in its first repeat that did, and in a word how."""

    case: Case
    record: CaseRecord
    how: str


@dataclass(frozen=True, slots=True)
class ChangedCase:
    """A case whose outcome changed, with what both sides made of it. A side that never ran it has no record."""

    case: Case
    change: Change
    lost: bool
    before: CaseRecord | None
    after: CaseRecord | None


def without_cases(run: Run, gate: GateReport | None) -> tuple[Run, GateReport | None]:
    """What may be shown: for the locked test split, no case by name, since whoever knows which ones fail tunes on them.

    Runs of the dev split are left as they are.
    """
    if run.info.split == "dev":
        return run, gate
    summary = run.info.summary
    sealed = replace(summary, unstable=()) if summary else None
    info = replace(run.info, cases=(), summary=sealed)
    if gate is not None:
        findings = tuple(replace(finding, case_ids=()) for finding in gate.findings)
        gate = replace(gate, findings=findings, changes=(), unpaired=())
    return Run(run.folder, info, (), ()), gate


def by_case(records: Iterable[CaseRecord]) -> Mapping[str, Sequence[CaseRecord]]:
    """The records of each case, in the order in which they came."""
    found: defaultdict[str, list[CaseRecord]] = defaultdict(list)
    for record in records:
        found[record.case_id].append(record)
    return dict(found)


def what_is_wrong(case: Case, record: CaseRecord) -> str:
    """A word for a miss; "" where the case went well."""
    if record.failures:
        return f"failed: {record.failures[0].error}"
    if record.scores.get("abstention") == 0:
        return "answered the unanswerable" if case.gold.action == "abstain" else "refused wrongly"
    if record.scores.get("answer_match") == 0:
        return "wrong answer"
    for name, value in record.scores.items():
        metric = SCORERS.get(name)
        if metric and metric.binary and value == (metric.low if metric.better == "higher" else metric.high):
            return name.replace("_", " ")
    return ""


def worst_misses(run: Run) -> list[Miss]:
    """Cases that failed or went wrong and wait for no feature: the gravest first, then the lowest scores."""
    cases = {case.id: case for case in run.cases if case.pending is None}
    misses: dict[str, Miss] = {}
    for record in run.records:
        case = cases.get(record.case_id)
        how = what_is_wrong(case, record) if case else ""
        if case and how:
            misses.setdefault(case.id, Miss(case, record, how))

    def rank(miss: Miss) -> tuple[int, float, str]:
        quality = sum(value for name, value in miss.record.scores.items() if 0 <= value <= 1)
        return SEVERITIES.index(miss.case.severity), quality, miss.case.id

    return sorted(misses.values(), key=rank)


def missed(case: Case, records: Sequence[CaseRecord]) -> str:
    """How a case goes wrong in more than half of its repeats; "" where it does not."""
    wrong = [how for record in records if (how := what_is_wrong(case, record))]
    return wrong[0] if 2 * len(wrong) > len(records) else ""


def lower_is_better(metric: str, gate: GateReport) -> bool:
    """The sense of a metric: by its scorer, else by how the gate signed its difference."""
    if metric in SCORERS:
        return SCORERS[metric].better == "lower"
    return any(one.metric == metric and one.difference * (one.candidate - one.baseline) < 0 for one in gate.comparisons)


def changed_cases(run: Run, gate: GateReport | None, baseline: Run | None) -> list[ChangedCase]:
    """The cases whose outcome changed, worst first, with the records of both sides."""
    if gate is None:
        return []
    cases = {case.id: case for case in run.cases}
    before, after = by_case(baseline.records if baseline else ()), by_case(run.records)
    found = []
    for change in gate.changes:
        if change.case_id in cases:
            sign = -1 if lower_is_better(change.metric, gate) else 1
            lost = sign * (change.candidate - change.baseline) < 0
            old = _repeat(before.get(change.case_id, ()), change.metric, sign if lost else -sign)
            new = _repeat(after.get(change.case_id, ()), change.metric, -sign if lost else sign)
            found.append(ChangedCase(cases[change.case_id], change, lost, old, new))
    return found


def _repeat(records: Sequence[CaseRecord], metric: str, sign: int) -> CaseRecord | None:
    """Of several repeats, the one with the highest score (sign 1) or the lowest: the one that shows the change."""
    return max(records, key=lambda record: sign * record.scores.get(metric, -sign * float("inf")), default=None)
