"""The tables of a run, as the terminal shows them."""

from collections.abc import Mapping, Sequence

from rich.markup import escape
from rich.table import Table

from evals.report.wording import OUTCOMES, changed, interval, number
from evals.types import Comparison, Estimate, GateReport, Summary

MAX_COLUMNS = 6
"""Metrics in a table of groups: more would not fit a terminal. The report has them all."""

_OUTCOME_COLOURS = {"worse": "red", "not_worse": "green", "unclear": "yellow"}


def metrics_table(summary: Summary, gate: GateReport | None, suite: str) -> Table:
    """Every metric with its interval, and beside it what the baseline had."""
    against = {one.metric: one for one in gate.comparisons if one.slice is None} if gate else {}
    columns = ["metric", "mean", "95 % interval", "n"]
    if against:
        columns += ["baseline", "difference", "outcome"]
    table = Table(*columns, title=f"suite {escape(suite)}", title_justify="left")
    for name, found in summary.overall.items():
        row = [escape(name), number(found.mean), interval(found.low, found.high) or "–", str(found.n)]
        if against:
            one = against.get(name)
            row += [number(one.baseline), changed(one), outcome(one)] if one else ["–", "–", "not compared"]
        table.add_row(*(cell if at == 6 else escape(cell) for at, cell in enumerate(row)))
    return table


def groups_table(summary: Summary, gate: GateReport | None) -> Table:
    """Kinds and slices by the metrics that matter most, with what the gate found on them."""
    metrics = chosen_metrics(summary, gate)
    table = Table("kind or slice", *(escape(name).replace("_", "\n") for name in metrics))
    sliced = {(one.metric, one.slice): one for one in gate.comparisons if one.slice} if gate else {}
    for prefix, groups in (("kind=", summary.by_kind), ("", summary.by_slice)):
        for group, estimates in groups.items():
            cells = [_cell(estimates.get(name), sliced.get((name, prefix + group))) for name in metrics]
            if set(cells) != {"–"}:
                table.add_row(escape(prefix + group), *cells)
        table.add_section()
    return table


def chosen_metrics(summary: Summary, gate: GateReport | None) -> Sequence[str]:
    """The metrics that the gate compares, else the first ones; so many as fit."""
    gated = list(dict.fromkeys(one.metric for one in gate.comparisons)) if gate else []
    return [name for name in gated or summary.overall if name in summary.overall][:MAX_COLUMNS]


def pending_table(summary: Summary) -> Table:
    """Cases that wait for a feature: how many, and how they score meanwhile."""
    table = Table("pending feature", "cases", "scores, counted nowhere else")
    for feature, cases in summary.pending_cases.items():
        scores = summary.pending.get(feature, {})
        said = ", ".join(f"{escape(name)} {number(found.mean)}" for name, found in list(scores.items())[:MAX_COLUMNS])
        table.add_row(escape(feature), str(cases), said or "–")
    return table


def lifts_table(lifts: Mapping[str, tuple[Comparison, ...]]) -> Table:
    """The candidate against simpler things: a positive lift is what it is worth."""
    table = Table("lift over", "metric", "simple", "candidate", "lift")
    for name, found in lifts.items():
        for one in found:
            colour = "green" if one.low > 0 else "red" if one.high < 0 else "yellow"
            lift = f"[{colour}]{escape(changed(one))}[/]"
            table.add_row(escape(name), escape(one.metric), number(one.baseline), number(one.candidate), lift)
        table.add_section()
    return table


def outcome(one: Comparison) -> str:
    """The outcome of a comparison, coloured."""
    return f"[{_OUTCOME_COLOURS[one.outcome]}]{OUTCOMES[one.outcome]}[/]"


def _cell(found: Estimate | None, one: Comparison | None) -> str:
    if found is None:
        return "–"
    said = f"{number(found.mean)} [dim]({found.n})[/]"
    if one is None:
        return said
    return f"{said} [{_OUTCOME_COLOURS[one.outcome]}]{number(one.difference, signed=True)}[/]"
