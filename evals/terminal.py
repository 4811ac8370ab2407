"""A run as people read it in a terminal."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from evals.cases import Case
from evals.evaluate import Run
from evals.summary import MAX_FAILED_SHARE, Measured
from evals.types import CaseRecord, Estimate, Summary

_WORST = 10
_SEVERITIES = ("critical", "major", "minor")


def show_run(run: Run, out: Console) -> None:
    """Print the tables of a run, its worst misses, and where its records are."""
    summary = run.info.summary
    if summary is None:
        raise ValueError("a run that is shown is finished")
    out.print(_metrics(summary, run.info.suite))
    out.print(_groups("kind", summary.by_kind, summary))
    out.print(_groups("slice", summary.by_slice, summary))
    refusals = summary.refusals
    out.print(
        f"refusals: [bold]{refusals.right_refusals}[/] right, [bold]{refusals.wrong_refusals}[/] wrong; "
        f"answers: [bold]{refusals.answered}[/] to answerable, [bold]{refusals.wrong_answers}[/] to unanswerable"
    )
    if summary.latency:
        out.print(f"latency:  p50 {summary.latency.p50_ms:.0f} ms, p95 {summary.latency.p95_ms:.0f} ms")
    out.print(f"cases:    {summary.cases}, of which {summary.failed} could not be measured")
    if misses := worst_misses(run.measured):
        _show_misses(misses, out)
    if summary.unmeasurable:
        out.print(
            f"[bold red]UNMEASURABLE[/]: more than {MAX_FAILED_SHARE:.0%} of the cases failed to run or to score."
        )
    out.print(f"provider {run.info.provider} · snapshot {run.info.snapshot} · records in {run.folder}", soft_wrap=True)


def worst_misses(measured: Sequence[Measured]) -> list[Measured]:
    """Cases that failed, or whose answer or refusal is wrong: the gravest first, then those with the lowest scores."""

    def rank(item: Measured) -> tuple[int, float, str]:
        case, record = item
        return _SEVERITIES.index(case.severity), sum(record.scores.values()), case.id

    return sorted((item for item in measured if what_is_wrong(*item)), key=rank)


def what_is_wrong(case: Case, record: CaseRecord) -> str:
    """A word for a miss; "" where the case went well."""
    if record.failures:
        return f"failed: {record.failures[0].error}"
    if record.scores.get("abstention") == 0:
        return "answered the unanswerable" if case.gold.action == "abstain" else "refused wrongly"
    return "wrong answer" if record.scores.get("answer_match") == 0 else ""


def _metrics(summary: Summary, suite: str) -> Table:
    table = Table("metric", "mean", "95 % interval", "n", title=f"suite {suite}", title_justify="left")
    for name, found in summary.overall.items():
        interval = f"{found.low:.3f} – {found.high:.3f}" if found.low is not None and found.high is not None else "–"
        table.add_row(name, f"{found.mean:.3f}", interval, str(found.n))
    return table


def _groups(what: str, groups: Mapping[str, Mapping[str, Estimate]], summary: Summary) -> Table:
    """Means (and numbers of cases) of each metric by group of cases."""
    table = Table(f"by {what}", *(name.replace("_", "\n") for name in groups))
    for metric in summary.overall:
        cells = [estimates.get(metric) for estimates in groups.values()]
        table.add_row(metric, *(f"{cell.mean:.2f} [dim]({cell.n})[/]" if cell else "–" for cell in cells))
    return table


def _show_misses(misses: Sequence[Measured], out: Console) -> None:
    """Three lines for each: what went wrong, what was asked, what was said."""
    out.print(f"\n[bold]worst of {len(misses)} misses[/]")
    for case, record in misses[:_WORST]:
        found = record.scores.get("passage_recall")
        evidence = "" if found is None else f" · {found:.0%} of the evidence was retrieved"
        said = record.result.answer if record.result else record.failures[0].message
        out.print(f"[bold]{case.id}[/] {case.severity} · {what_is_wrong(case, record)}{evidence}")
        out.print(f"  asked: {escape(_clipped(case.question))}\n  said:  {escape(_clipped(said))}", highlight=False)


def _clipped(text: str, width: int = 160) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"
