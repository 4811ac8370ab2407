"""What the commands share: the consoles, the services for one command, a progress bar, JSON on standard output."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from app.settings import load_settings
from retrieval.types import Breach, Severity

if TYPE_CHECKING:
    from app.bootstrap import Services

out = Console()
err = Console(stderr=True)

Corpus = Annotated[str | None, typer.Option("--corpus", help="Name of the corpus. Default: the setting `corpus`.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines, nothing else.")]


@contextmanager
def services_for(**arguments: Any) -> "Iterator[Services]":
    """The services under these settings, let go of afterwards."""
    from app.bootstrap import build

    services = build(load_settings(**arguments))
    try:
        yield services
    finally:
        services.close()


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Any]:
    """A progress bar for each step, on standard error."""
    if quiet:
        yield None
        return
    columns = (TextColumn("{task.description:>8}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err) as bar:
        tasks: dict[str, TaskID] = {}

        def advance(step: str, done: int, total: int) -> None:
            task = tasks[step] if step in tasks else tasks.setdefault(step, bar.add_task(step))
            bar.update(task, completed=done, total=total)

        yield advance


def section_table(title: str, *columns: str) -> Table:
    """An empty table without lines between columns: narrow terminals need the room."""
    table = Table(
        box=box.SIMPLE_HEAD, title=f"\n{title}", title_justify="left", title_style="bold",
        padding=(0, 1, 0, 0), pad_edge=False,
    )  # fmt: skip
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def print_breaches(breaches: Sequence[Breach]) -> None:
    """A table of the rules that are broken."""
    if breaches:
        table = Table("rule", "severity", "what", "documents", "such as")
        for breach in breaches:
            colour = "red" if breach.severity is Severity.ERROR else "yellow"
            examples = escape(", ".join(breach.examples[:3]))
            severity = f"[{colour}]{breach.severity}[/]"
            table.add_row(breach.rule, severity, escape(breach.message), str(breach.count), examples)
        out.print(table)


def print_json(value: Any) -> None:
    """Write a value as JSON to standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")
