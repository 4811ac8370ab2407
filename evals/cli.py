"""The `evals` command: joins the parts, and hands them to the commands of evals/commands/."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from app.errors import AssayError
from app.settings import load_settings
from evals.commands import bench, calibrate, forget, gate, golden, redteam, report, review, run
from evals.commands.options import MISUSE, Door
from evals.errors import EvalsError
from retrieval.errors import RetrievalError

if TYPE_CHECKING:
    from app.bootstrap import Services
    from evals.running.runner import Step

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Measure Assay on golden sets, through the very pipeline that serves, and gate releases on what was measured.",
    epilog="Exit codes: 0 PASS, or done; 1 FAIL, or problems were found; 2 INCONCLUSIVE; 3 UNMEASURABLE; 4 misuse, or "
    "something to mend first.",
)

out = Console()
err = Console(stderr=True)


@cli.callback()
def _hand_out_the_door(ctx: typer.Context) -> None:
    ctx.obj = Door(out, err, _services, _progress)


for subject in (run, gate, golden, calibrate, report, review, redteam, bench, forget):
    subject.add_to(cli)


def main() -> NoReturn:
    """Run the command; an error that the user can mend is one line, not a traceback."""
    try:
        code = cli(standalone_mode=False) or 0
    except (EvalsError, AssayError, RetrievalError) as error:
        err.print(f"[red]evals:[/] {escape(str(error))}", soft_wrap=True)
        code = MISUSE
    except typer.Abort:
        code = 130
    except typer.TyperException as error:  # a wrong option or argument; in typer's own mode it would exit with 2
        message = error.format_message() if isinstance(error, typer.BadParameter) else str(error)
        err.print(f"[red]evals:[/] {escape(message.rstrip('.'))}. See: evals --help", soft_wrap=True)
        code = MISUSE
    sys.exit(code)


@contextmanager
def _services(home: Path | None, provider: str | None) -> "Iterator[Services]":
    from app.bootstrap import build

    llm = {"provider": provider} if provider is not None else None
    services = build(load_settings(home=home, llm=llm))
    try:
        yield services
    finally:
        services.close()


@contextmanager
def _progress(quiet: bool) -> "Iterator[Step | None]":
    """A progress bar for each step, on standard error."""
    if quiet:
        yield None
        return
    columns = (TextColumn("{task.description:>14}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err) as bar:
        tasks: dict[str, TaskID] = {}

        def advance(step: str, done: int, total: int) -> None:
            task = tasks[step] if step in tasks else tasks.setdefault(step, bar.add_task(step))
            bar.update(task, completed=done, total=total)

        yield advance


if __name__ == "__main__":
    main()
