"""A bench result as people read it in a terminal."""

from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from evals.bench.results import BenchResult, Score, Scores


def show_bench(result: BenchResult, out: Console) -> None:
    """Print metric × (shipped, baselines) with intervals, sources if there are several, and how it was measured."""
    title = f"{result.kind} on {escape(result.path)}, n={result.n}"
    out.print(_table(title, {"shipped": result.metrics, **result.baselines}))
    if result.by_source:
        out.print(_table("by source", result.by_source))
    about = " · ".join(f"{name.replace('_', ' ')} {value}" for name, value in result.about.items() if value is not None)
    out.print(f"[dim]{escape(about)}[/]", soft_wrap=True, highlight=False)


def said(score: Score | None) -> str:
    """A score with its interval, in three digits that matter."""
    if score is None or score.value is None:
        return "–"
    digits = 3 if abs(score.value) < 10 else 1
    interval = "" if score.low is None or score.high is None else f" [{score.low:.{digits}f}, {score.high:.{digits}f}]"
    return f"{score.value:.{digits}f}{interval}"


def _table(title: str, columns: Mapping[str, Scores]) -> Table:
    table = Table("metric", *(escape(name) for name in columns), title=title, title_justify="left")
    for metric in dict.fromkeys(name for scores in columns.values() for name in scores):
        table.add_row(metric, *(escape(said(scores.get(metric))) for scores in columns.values()))
    return table
