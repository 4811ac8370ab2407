"""`assay ingest`, `assay show`: documents."""

import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from app.alerts import contract_alert
from app.commands.shared import Corpus, Json, out, print_breaches, print_json, progress_bar, services_for
from retrieval.types import IngestReport


def add_to(cli: typer.Typer) -> None:
    """Add the commands of this file."""
    cli.command()(ingest)
    cli.command()(show)


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
    with services_for(corpus=corpus) as services, progress_bar(quiet=as_json) as progress:
        report = services.ingestor.ingest(
            files, services.settings.corpus, prune=folders(paths) if prune else (), progress=progress
        )
        contract_alert(services.settings.alerts, services.settings.corpus, report)
    if as_json:
        print_json(_report_json(report))
    else:
        _print_report(report)
    raise typer.Exit(1 if not report.switched or (strict and report.quarantined) else 0)


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
    serves = (
        f"in {report.seconds:.1f} s" if report.switched else "[red]serves still: the contract stopped the switch[/]"
    )
    table.add_row("snapshot", f"[bold]{report.snapshot or 'none'}[/]", serves)
    out.print(table)
    print_breaches(report.breaches)
    if report.quarantined:
        failed = Table("quarantined", "code", "stage", "detail")
        for row in report.quarantined:
            failed.add_row(escape(row.uri), row.code, row.stage, escape(row.detail))
        out.print(failed)
