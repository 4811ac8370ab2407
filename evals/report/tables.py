"""The tables of a run, as the terminal shows them."""

from collections.abc import Mapping, Sequence

from rich.markup import escape
from rich.table import Table

from evals.report.wording import OUTCOMES, changed, interval, number
from evals.types import Comparison, Estimate, GateReport, Summary

MAX_COLUMNS = 6
"""Metrics in a table of groups; the report has them all."""

_GROUP_WIDTH, _CELL_WIDTH = 27, 13

_WAITED_FOR = (
    "attack_success",
    "pii_leaks",
    "must_not",
    "forbidden_tool_calls",
    "tool_calls_right",
    "tool_arguments_right",
    "over_defence",
    "abstention",
    "answer_match",
)
"""What the cases of a missing feature are about: shown before any other metric."""

_OUTCOME_COLOURS = {"worse": "red", "not_worse": "green", "unclear": "yellow"}


def metrics_table(summary: Summary, suite: str) -> Table:
    """Every metric with its interval."""
    table = Table("metric", "mean", "95 % interval", "n", title=f"suite {escape(suite)}", title_justify="left")
    for name, found in summary.overall.items():
        table.add_row(escape(name), number(found.mean), escape(interval(found.low, found.high)) or "–", str(found.n))
    return table


def compared_table(gate: GateReport) -> Table:
    """The gated metrics beside the baseline's, on the cases that both runs asked."""
    table = Table(title="against the baseline", title_justify="left", pad_edge=False)
    for column in ("metric", "baseline → now", "difference", "n", "outcome"):
        table.add_column(column, no_wrap=True)
    for one in gate.comparisons:
        if one.slice is None:
            moved = f"{number(one.baseline)} → {number(one.candidate)}"
            table.add_row(escape(one.metric), moved, escape(changed(one)), str(one.pairs), outcome(one))
    return table


def groups_table(summary: Summary, gate: GateReport | None, width: int) -> Table:
    """Kinds and slices by the metrics that matter most, with what the gate found on them; as many as fit."""
    metrics = chosen_metrics(summary, gate)[: max(1, (width - _GROUP_WIDTH) // _CELL_WIDTH)]
    table = Table()
    table.add_column("kind or slice", no_wrap=True)
    for name in metrics:
        table.add_column(escape(name).replace("_", "\n"), no_wrap=True)
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
        names = sorted(scores, key=lambda name: _WAITED_FOR.index(name) if name in _WAITED_FOR else len(_WAITED_FOR))
        said = ", ".join(f"{escape(name)} {number(scores[name].mean)}" for name in names[:MAX_COLUMNS])
        table.add_row(escape(feature), str(cases), said or "–")
    return table


def lifts_table(lifts: Mapping[str, tuple[Comparison, ...]]) -> Table:
    """The candidate against simpler things: a positive lift is what it is worth."""
    table = Table()
    for column in ("lift over", "metric", "simple → now", "lift"):
        table.add_column(column, no_wrap=True)
    for name, found in lifts.items():
        for at, one in enumerate(found):
            colour = "green" if one.low > 0 else "red" if one.high < 0 else "yellow"
            lift = f"[{colour}]{escape(changed(one))}[/]"
            moved = f"{number(one.baseline)} → {number(one.candidate)}"
            table.add_row("" if at else escape(name), escape(one.metric), moved, lift)
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
    return f"{said}\n[{_OUTCOME_COLOURS[one.outcome]}]{number(one.difference, signed=True)}[/]"
