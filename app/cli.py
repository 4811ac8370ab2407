"""The `assay` command.

Exit codes: 0 done; 1 done, but something the caller asked to be strict about is amiss; 2 misuse or a setting to mend.
"""

import asyncio
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from app import __version__
from app.errors import AssayError
from app.settings import Settings, load_settings
from retrieval.errors import RetrievalError
from retrieval.types import IngestReport

if TYPE_CHECKING:
    from app.bootstrap import Services

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Answers over your documents, each claim tied to the exact characters that support it.",
)
keys = typer.Typer(no_args_is_help=True, help="API keys: needed to serve on anything but this machine.")
cli.add_typer(keys, name="keys")

out = Console()
err = Console(stderr=True)

Corpus = Annotated[str | None, typer.Option("--corpus", help="Name of the corpus. Default: the setting `corpus`.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines, nothing else.")]


def main() -> NoReturn:
    """Run the command; an error that the user can mend is one line, not a traceback."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        cli()
    except (AssayError, RetrievalError) as error:
        err.print(f"[red]assay:[/] {escape(str(error))}")
    sys.exit(2)


@cli.command()
def ingest(
    paths: Annotated[list[str], typer.Argument(help="Folders, files, or quoted patterns such as 'docs/**/*.md'.")],
    corpus: Corpus = None,
    prune: Annotated[bool, typer.Option(help="Remove documents of these folders whose files are gone.")] = False,
    strict: Annotated[bool, typer.Option(help="Exit with 1 if a file was quarantined.")] = False,
    as_json: Json = False,
) -> None:
    """Read documents into a corpus and switch it to the new snapshot.

    The same content again is a no-op; a changed file replaces its old version; only new chunks are embedded. A file
    that fails is quarantined with a reason code (docs/documents.md) and the rest go on.
    """
    from retrieval.files import folders, list_files

    files = list_files(paths)
    with _services(corpus=corpus) as services, _progress(quiet=as_json) as progress:
        report = services.ingestor.ingest(
            files, services.settings.corpus, prune=folders(paths) if prune else (), progress=progress
        )
    if as_json:
        _print_json(_report_json(report))
    else:
        _print_report(report)
    raise typer.Exit(1 if strict and report.quarantined else 0)


@cli.command()
def search(
    query: str,
    k: Annotated[int, typer.Option(min=1, max=1000, help="How many passages.")] = 10,
    corpus: Corpus = None,
    as_json: Json = False,
) -> None:
    """Show the passages that a question finds, with the score of each retriever."""
    with _services(corpus=corpus) as services:
        found = asyncio.run(services.retriever.search(query, services.settings.corpus, k))
    if as_json:
        _print_json(asdict(found))
        return
    table = Table("", "score", "bm25", "dense", "document", "passage", caption=f"snapshot {found.snapshot}")
    for number, passage in enumerate(found.passages, start=1):
        bm25, dense = (f"{passage.parts[name]:.2f}" if name in passage.parts else "–" for name in ("bm25", "dense"))
        where = " · ".join(part for part in (passage.title, passage.page and f"page {passage.page}") if part)
        text = " ".join(passage.text.split())
        table.add_row(str(number), f"{passage.score:.3f}", bm25, dense, escape(where), escape(text[:160]))
    out.print(table)


@cli.command()
def ask(question: str, corpus: Corpus = None, as_json: Json = False) -> None:
    """Answer a question with citations, or say "I don't know"."""
    from app.rendering import result_json
    from app.types import ChatRequest

    with _services(corpus=corpus) as services:
        result = asyncio.run(services.pipeline.run(ChatRequest(question, corpus=services.settings.corpus)))
    if as_json:
        _print_json(result_json(result))
        return
    numbered = {citation: number for number, citation in enumerate(dict.fromkeys(
        citation for claim in result.claims for citation in claim.citations), start=1)}  # fmt: skip
    for claim in result.claims:
        marks = "".join(f"[cyan]\\[{numbered[citation]}][/]" for citation in claim.citations)
        out.print(f"{escape(claim.text)} {marks}")
    if result.abstained:
        out.print(result.answer)
    for citation, number in numbered.items():
        place = " · ".join(part for part in (citation.section, citation.page and f"page {citation.page}") if part)
        span = f"characters {citation.start}-{citation.end} of document {citation.doc_id}"
        out.print(f"[dim]\\[{number}] {escape(citation.uri)} · {escape(place)}\n    {span}[/]", highlight=False)
    out.print(f"[dim]{result.provider} · snapshot {result.snapshot} · {result.timings_ms['total']:.0f} ms[/]")


@cli.command()
def show(
    doc_id: str,
    snapshot: Annotated[str | None, typer.Option(help="A snapshot's id. Default: the one that serves.")] = None,
) -> None:
    """Print a document's canonical text: the text that all citation offsets count in."""
    with _services() as services:
        _, version = services.corpora.version_in(doc_id, snapshot)
        text = services.corpora.document(doc_id, version).parsed.text
    sys.stdout.write(text)


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address; anything but loopback needs API keys.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; ASSAY_PORT, or 8000.")] = None,
    corpus: Corpus = None,
) -> None:
    """Serve the chat API and its page."""
    from app.http.serve import address
    from app.http.serve import serve as run_server

    settings = _settings(corpus=corpus, port=port)
    if host is not None:
        settings = settings.model_copy(update={"http": settings.http.model_copy(update={"host": host})})
    out.print(f"Assay {__version__} on [bold]{address(settings)}[/]  (Ctrl-C stops it)")
    run_server(settings)


@keys.command("create")
def create_key(name: str) -> None:
    """Make an API key and print it once."""
    with _services() as services:
        key = services.keys.create(name)
    out.print(f"[bold]{key}[/]", soft_wrap=True)
    err.print("Keep it now: only its hash is stored. Send it as `Authorization: Bearer …`.")


@keys.command("list")
def list_keys() -> None:
    """Print the names of the keys."""
    with _services() as services:
        for name in services.keys.names():
            out.print(escape(name))


@keys.command("revoke")
def revoke_key(name: str) -> None:
    """Make a key worthless at once."""
    with _services() as services:
        services.keys.revoke(name)


@cli.command()
def version() -> None:
    """Print the version."""
    out.print(__version__)


def _settings(**arguments: Any) -> Settings:
    return load_settings(**arguments)


@contextmanager
def _services(**arguments: Any) -> "Iterator[Services]":
    from app.bootstrap import build

    services = build(_settings(**arguments))
    try:
        yield services
    finally:
        services.close()


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Any]:
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


def _report_json(report: IngestReport) -> dict[str, Any]:
    return {**asdict(report), "quarantined": [asdict(row) for row in report.quarantined]}


def _print_report(report: IngestReport) -> None:
    changes = ("added", "changed", "unchanged", "removed")
    table = Table.grid(padding=(0, 2))
    table.add_row("documents", f"[bold]{report.documents}[/]", ", ".join(f"{getattr(report, c)} {c}" for c in changes))
    table.add_row("chunks", f"[bold]{report.chunks}[/]", f"{report.embedded} embedded anew")
    table.add_row("quarantined", f"[bold]{len(report.quarantined)}[/]", "")
    table.add_row("snapshot", f"[bold]{report.snapshot}[/]", f"in {report.seconds:.1f} s")
    out.print(table)
    if report.quarantined:
        failed = Table("quarantined", "code", "stage", "detail")
        for row in report.quarantined:
            failed.add_row(escape(row.uri), row.code, row.stage, escape(row.detail))
        out.print(failed)


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


if __name__ == "__main__":
    main()
