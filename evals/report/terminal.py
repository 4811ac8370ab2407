"""A run as people read it in a terminal: the verdict first, then why, then the numbers."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from evals.report.cases import Miss, without_cases, worst_misses
from evals.report.tables import compared_table, groups_table, lifts_table, metrics_table, pending_table
from evals.report.wording import MEANINGS, clipped, number, plural, short_id
from evals.running.records import Run
from evals.types import GateReport, Summary, Verdict

_WORST = 10
_NAMED = 6
_COLOURS = {
    Verdict.PASS: "green",
    Verdict.FAIL: "red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.UNMEASURABLE: "magenta",
}


def show_run(run: Run, gate: GateReport | None, out: Console, *, written: bool = True) -> None:
    """Print the verdict with its reasons, the tables of a run, its worst misses, and where its files are.

    Args:
        run: A finished run.
        gate: What the gate found; None where none was asked.
        out: Where to print.
        written: Whether the report of just this was written, so that its place is worth naming.
    """
    run, gate = without_cases(run, gate)
    summary = run.info.summary
    if summary is None:
        raise ValueError("a run that is shown is finished")
    if gate is not None:
        show_gate(gate, out)
    if gate is not None and gate.comparisons:
        out.print(compared_table(gate))
    out.print(metrics_table(summary, run.info.suite))
    if summary.by_kind or summary.by_slice:
        out.print(groups_table(summary, gate, out.width))
    if summary.pending_cases:
        out.print(pending_table(summary))
    if gate is not None and any(gate.lifts.values()):
        out.print(lifts_table(gate.lifts))
    _show_counts(run, summary, gate, out)
    if misses := worst_misses(run):
        _show_misses(misses, out)
    if gate is None and summary.unmeasurable:
        out.print("[bold magenta]UNMEASURABLE[/]: too many of the cases failed to run or to score.")
    release = f"release {run.info.release.id} · provider {run.info.release.provider}"
    out.print(f"{escape(release)} · commit {escape(short_id(run.info.commit))}", soft_wrap=True, highlight=False)
    where = f"records in {run.folder}" + (f" · report in {run.folder / 'report.html'}" if written else "")
    out.print(escape(where), soft_wrap=True, highlight=False)


def show_gate(gate: GateReport, out: Console) -> None:
    """Print the verdict and every finding, the gravest first."""
    colour = _COLOURS[gate.verdict]
    compared = f"{plural(gate.pairs, 'pair')} of cases" if gate.pairs else "compared with nothing"
    looks = f" · {plural(gate.looks, 'look')} at the test split before this one" if gate.looks else ""
    said = f"[bold {colour}]{gate.verdict.name}[/]: {MEANINGS[gate.verdict]} · {compared}{looks}"
    out.print(said, soft_wrap=True, highlight=False)
    for finding in gate.findings:
        colour = "dim" if finding.verdict is None else _COLOURS[finding.verdict]
        named = f" ({_listed(finding.case_ids)})" if finding.case_ids else ""
        line = escape(f"{finding.rule}: {clipped(finding.message, 400)}{named}")
        out.print(f"  [{colour}]•[/] {line}", soft_wrap=True, highlight=False)


def _show_counts(run: Run, summary: Summary, gate: GateReport | None, out: Console) -> None:
    refusals = summary.refusals
    out.print(
        f"refusals: [bold]{refusals.right_refusals}[/] right, [bold]{refusals.wrong_refusals}[/] wrong; "
        f"answers: [bold]{refusals.answered}[/] to answerable, [bold]{refusals.wrong_answers}[/] to unanswerable",
        highlight=False,
    )
    if summary.latency:
        took = summary.latency
        out.print(
            f"latency:  p50 {took.p50_ms:.0f} ms, p95 {took.p95_ms:.0f} ms, p99 {took.p99_ms:.0f} ms", highlight=False
        )
    for ratio in gate.ratios if gate else ():
        low, high = number(ratio.low), number(ratio.high)
        said = f"{ratio.name}: {number(ratio.ratio)} × the baseline [{low}, {high}], allowed {number(ratio.allowed)}"
        out.print(f"          {escape(said)}", highlight=False)
    repeats = f", each {run.info.repeats} times" if run.info.repeats > 1 else ""
    out.print(f"cases:    {summary.cases}{repeats}, of which {summary.failed} could not be measured", highlight=False)
    if summary.unstable:
        out.print(f"unstable: {len(summary.unstable)}: {escape(_listed(summary.unstable))}", highlight=False)


def _show_misses(misses: Sequence[Miss], out: Console) -> None:
    """Three lines for each: what went wrong, what was asked, what was said."""
    out.print(f"\n[bold]worst of {plural(len(misses), 'miss', 'misses')}[/]")
    for miss in misses[:_WORST]:
        case, record = miss.case, miss.record
        found = record.scores.get("passage_recall")
        evidence = "" if found is None else f" · {found:.0%} of the evidence was retrieved"
        said = record.result.answer if record.result else record.failures[0].message if record.failures else ""
        out.print(f"[bold]{escape(case.id)}[/] {case.severity} · {escape(miss.how)}{evidence}", highlight=False)
        out.print(f"  asked: {escape(clipped(case.question))}\n  said:  {escape(clipped(said))}", highlight=False)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
