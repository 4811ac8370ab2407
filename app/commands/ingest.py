"""`assay ingest`, `assay show`: documents."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from app.alerts import contract_alert
from app.commands.forget import finish
from app.commands.shared import Corpus, Json, err, out, print_breaches, print_json, progress_bar, services_for
from app.errors import AssayError
from app.openlineage import observed
from app.settings import child_environment
from retrieval.errors import RetrievalError
from retrieval.types import IngestReport

if TYPE_CHECKING:
    from app.bootstrap import Services
    from retrieval.ingest import Ingestor


class Engine(StrEnum):
    """Where an ingest parses and embeds."""

    LOCAL = "local"
    RAY = "ray"


def add_to(cli: typer.Typer) -> None:
    """Add the commands of this file."""
    cli.command()(ingest)
    cli.command()(show)


def ingest(
    paths: Annotated[
        list[str], typer.Argument(help="Folders, files, quoted patterns; git+https://, sitemap+https://, s3://.")
    ],
    corpus: Corpus = None,
    prune: Annotated[bool, typer.Option(help="Remove documents of these folders whose files are gone.")] = False,
    strict: Annotated[bool, typer.Option(help="Exit with 1 if a file was quarantined.")] = False,
    as_json: Json = False,
    watch: Annotated[bool, typer.Option(help="Stay, and ingest again whenever a file changes.")] = False,
    engine: Annotated[
        Engine, typer.Option(help="Where to parse and embed; see `retrieval.ray_address`.")
    ] = Engine.LOCAL,
) -> None:
    """Read documents into a corpus and switch it to the new snapshot.

    The same content again is a no-op; a changed file replaces its old version; only new chunks are embedded. A file
    that fails is quarantined with a reason code (docs/documents.md) and the rest go on.
    """
    from retrieval.sources.gather import gathered, is_remote

    if watch and any(map(is_remote, paths)):
        raise typer.BadParameter("Only folders and files can be watched; read other sources from a timer.")
    with services_for(corpus=corpus) as services, _ingestor_on(engine, services) as ingestor:
        settings = services.settings
        finish(services.forget)

        def once() -> IngestReport:
            with (
                progress_bar(quiet=as_json) as progress,
                gathered(paths, settings.retrieval, child_environment(), progress) as found,
            ):
                gone = found.prunable if prune else ()
                with redirect_stdout(sys.stderr):  # Ray prints remarks of its own; standard output is for the report
                    report = observed(
                        settings.lineage,
                        settings.corpus,
                        lambda: (member.source for member in ingestor.members(settings.corpus)),
                        lambda: ingestor.ingest(found.files, settings.corpus, prune=gone, progress=progress),
                    )
            contract_alert(settings.alerts, settings.corpus, report)
            _tell(report, found.notes, as_json=as_json)
            return report

        if watch:
            _follow(paths, once, settings.home)
            return
        report = once()
    raise typer.Exit(1 if not report.switched or (strict and report.quarantined) else 0)


@contextmanager
def _ingestor_on(engine: Engine, services: "Services") -> "Iterator[Ingestor]":
    """The services' ingestor, its parsing and embedding done by the engine."""
    if engine == Engine.LOCAL:
        yield services.ingestor
        return
    from retrieval.on_ray import ray_engine

    rules = services.settings.retrieval
    with ray_engine(rules.ray_address, rules.parse) as cluster:
        publisher = replace(services.ingestor.publisher, embed_groups=cluster.embed)
        yield replace(services.ingestor, open_parser=cluster.parser, publisher=publisher)


def _follow(paths: list[str], once: Callable[[], object], home: Path) -> None:
    """Ingest on every change until Ctrl-C."""
    from retrieval.sources.watch import watch

    def failed(error: Exception) -> None:
        known = isinstance(error, AssayError | RetrievalError)
        said = escape(str(error)) if known else type(error).__name__
        err.print(f"[yellow]assay:[/] this ingest failed and will be tried again: {said}")

    err.print("Watching; end with Ctrl-C.")
    watch(paths, once, ignore=(home,), failed=failed)
    err.print("Stopped.")


def _tell(report: IngestReport, notes: Iterable[str], *, as_json: bool) -> None:
    for note in notes:
        err.print(f"[yellow]note:[/] {escape(note)}")
    if as_json:
        print_json(_report_json(report))
        sys.stdout.flush()  # a watch goes on, and a pipe waits for this report
    else:
        _print_report(report)


def show(
    doc_id: str,
    snapshot: Annotated[str | None, typer.Option(help="A snapshot's id. Default: the one that serves.")] = None,
) -> None:
    """Print a document's canonical text: the text that all citation offsets count in."""
    with services_for() as services:
        _, version = services.corpora.version_in(doc_id, snapshot)
        text = services.corpora.document(doc_id, version).parsed.text
    sys.stdout.write(text)


def _report_json(report: IngestReport) -> dict[str, Any]:
    return {**asdict(report), "quarantined": [asdict(row) for row in report.quarantined]}


def _print_report(report: IngestReport) -> None:
    changes = ("added", "changed", "unchanged", "removed")
    table = Table.grid(padding=(0, 2))
    table.add_row("documents", f"[bold]{report.documents}[/]", ", ".join(f"{getattr(report, c)} {c}" for c in changes))
    table.add_row("chunks", f"[bold]{report.chunks}[/]", f"{report.embedded} embedded anew")
    table.add_row("quarantined", f"[bold]{len(report.quarantined)}[/]", "")
    if report.personal_data:
        said = ", ".join(f"{count} {kind}" for kind, count in sorted(report.personal_data.items()))
        table.add_row("personal data", f"[bold]{sum(report.personal_data.values())}[/]", said)
    serves = f"in {report.seconds:.1f} s" if report.switched else "[red]serves still: the contract stopped it[/]"
    table.add_row("snapshot", f"[bold]{report.snapshot or 'none'}[/]", serves)
    out.print(table)
    print_breaches(report.breaches)
    if report.quarantined:
        failed = Table("quarantined", "code", "stage", "detail")
        for row in report.quarantined:
            failed.add_row(escape(row.uri), row.code, row.stage, escape(row.detail))
        out.print(failed)
