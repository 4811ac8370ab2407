"""The `evals` command."""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from app.errors import AssayError
from app.settings import load_settings
from evals.errors import EvalsError
from retrieval.errors import RetrievalError

if TYPE_CHECKING:
    from app.bootstrap import Services
    from evals.runner import Step

FOUND_PROBLEMS, UNMEASURABLE, MISUSE = 1, 3, 4

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Measure Assay on golden sets, through the very pipeline that serves.",
    epilog="Exit codes: 0 it ran; 1 validate found problems; 3 unmeasurable: more than 5 % of the cases failed to run "
    "or to score; 4 misuse, or something to mend first.",
)

out = Console()
err = Console(stderr=True)

Home = Annotated[Path | None, typer.Option("--home", help="Where all state lives. Default: ASSAY_HOME, or .assay.")]
Sets = Annotated[Path, typer.Option("--golden-sets", help="The folder that holds the golden sets.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines, nothing else.")]


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


@cli.command()
def run(
    suite: Annotated[str, typer.Argument(help="Name of a shipped suite (smoke), or the path of a .yaml file.")],
    home: Home = None,
    provider: Annotated[
        str | None, typer.Option(help="extractive, openai_compatible or local. Default: the setting `llm.provider`.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Run this case; may be given again.")] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="Run so many cases, the same ones each time.")] = None,
    golden_sets: Sets = Path("golden_sets"),
    as_json: Json = False,
) -> None:
    """Run a suite, print what came out, and keep the records under HOME/runs.

    Ingests the documents of the suite's golden sets first, where the corpus does not hold them as they are.
    Exit codes: 0 it ran, however good or bad; 3 unmeasurable; 4 misuse.
    """
    from evals.corpus import ready_corpus
    from evals.evaluate import evaluate
    from evals.golden import load_golden_set, select
    from evals.records import run_json
    from evals.suites import load_suite
    from evals.terminal import show_run

    chosen = load_suite(suite)
    sets = [load_golden_set(golden_sets, name) for name in chosen.sets]
    cases = select(sets, only or (), sample)
    with _services(home, provider) as services, _progress(quiet=as_json) as progress:
        texts = ready_corpus(services, [golden.corpus for golden in sets], chosen.corpus, progress)
        done = asyncio.run(evaluate(services, chosen, sets, cases, texts, progress))
    if as_json:
        _print_json({**json.loads(run_json(done.info)), "folder": str(done.folder)})
    else:
        show_run(done, out)
    raise typer.Exit(UNMEASURABLE if done.info.summary and done.info.summary.unmeasurable else 0)


@cli.command()
def validate(
    names: Annotated[list[str] | None, typer.Argument(help="Golden sets. Default: all.")] = None,
    home: Home = None,
    golden_sets: Sets = Path("golden_sets"),
    as_json: Json = False,
) -> None:
    """Check golden sets: their form, duplicates, their cards, and that the evidence stands in the documents.

    Ingests the documents of each set into a corpus of its name first. Exit codes: 0 all is well; 1 there are problems;
    4 misuse, or cases that cannot be read.
    """
    from evals.corpus import ready_corpus
    from evals.golden import golden_set_names, load_golden_set, problems

    sets = [load_golden_set(golden_sets, name) for name in names or golden_set_names(golden_sets)]
    if not sets:
        raise EvalsError(f"There is no golden set in {golden_sets}/.")
    found: dict[str, list[str]] = {}
    with _services(home, None) as services, _progress(quiet=as_json) as progress:
        for golden in sets:
            texts = ready_corpus(services, [golden.corpus], golden.name, progress)
            found[golden.name] = problems(golden, texts)
    if as_json:
        _print_json({golden.name: {"cases": len(golden.cases), "problems": found[golden.name]} for golden in sets})
    else:
        for golden in sets:
            out.print(f"[bold]{escape(golden.name)}[/]: {len(golden.cases)} cases, {len(found[golden.name])} problems")
            for problem in found[golden.name]:
                out.print(f"  {escape(problem)}", soft_wrap=True)
    raise typer.Exit(FOUND_PROBLEMS if any(found.values()) else 0)


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
def _progress(*, quiet: bool) -> "Iterator[Step | None]":
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


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


if __name__ == "__main__":
    main()
