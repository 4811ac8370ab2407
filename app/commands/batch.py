"""`assay batch`: many questions from a file."""

import asyncio
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from app.commands.ask import Groups, Tenant
from app.commands.options import command
from app.commands.shared import Corpus, Json, err, out, print_json, progress_bar, services_for
from retrieval.types import Access, Scope


@dataclass(frozen=True, kw_only=True)
class BatchOptions:
    """Options of `assay batch`."""

    questions: Annotated[
        Path, typer.Argument(metavar="FILE", help="One JSON object a line: {question, id?, history?, corpus?}.")
    ]
    to: Annotated[
        Path | None, typer.Option("--out", help="Where answers go. Default: beside FILE, as NAME.answers.jsonl.")
    ] = None
    corpus: Corpus = None
    tenant: Tenant = ""
    group: Groups = None
    parallel: Annotated[int, typer.Option(min=1, max=64, help="Questions answered at the same time.")] = 4
    as_json: Json = False


def add_to(cli: typer.Typer) -> None:
    """Add the commands of this file."""
    command(cli)(batch)


def batch(given: BatchOptions) -> None:
    """Answer the questions of a file, a line of JSON each.

    Run it again after a crash, or after more questions came: what is answered already is skipped, what failed is tried
    again. Exit codes: 0 all are answered; 1 some failed, their lines say why; 2 misuse. Abstentions are answers.
    """
    from app.batch import Batch, run_batch
    from app.joining.serving import serving

    target = given.to or given.questions.with_suffix(".answers.jsonl")
    if target.resolve() == given.questions.resolve():
        raise typer.BadParameter("The answers would be written over the questions: choose another --out.")
    with services_for(corpus=given.corpus) as services:
        asked = Batch(
            questions=given.questions,
            out=target,
            corpus=services.settings.corpus,
            bounds=services.settings.chat,
            scope=Scope(Access(given.tenant, frozenset(given.group or ()))),
            parallel=given.parallel,
        )
        with progress_bar(quiet=given.as_json) as progress:
            summary = asyncio.run(run_batch(serving(services).answers, asked, progress or _silent))
    fresh = summary.answered + summary.failed
    rate = round(fresh / summary.seconds, 2) if fresh and summary.seconds else 0.0
    if given.as_json:
        print_json({**asdict(summary), "per_second": rate, "out": str(target)})
    else:
        counts = (
            f"{summary.answered} answered ({summary.abstained} of them with “I don't know”), "
            f"{summary.failed} failed, {summary.skipped} known already"
        )
        out.print(f"{counts}: [bold]{escape(str(target))}[/]", highlight=False)
        err.print(f"{summary.seconds:.1f} s, {rate:.1f} a second")
    if summary.failed:
        raise typer.Exit(1)


def _silent(step: str, done: int, total: int) -> None: ...
