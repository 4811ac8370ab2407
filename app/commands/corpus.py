"""`assay corpus`: contracts and snapshots."""

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from app.commands.shared import Corpus, Json, err, out, print_breaches, print_json, progress_bar, services_for

corpus = typer.Typer(no_args_is_help=True, help="Contracts and snapshots of a corpus.")


class IndexKind(StrEnum):
    """The values of the setting retrieval.index.kind."""

    AUTO = "auto"
    FLAT = "flat"
    IVF = "ivf"
    HNSW = "hnsw"


SnapshotId = Annotated[str | None, typer.Argument(help="A snapshot's id or its first digits. Default: what serves.")]


def add_to(cli: typer.Typer) -> None:
    """Add the commands of this file."""
    cli.add_typer(corpus, name="corpus")


@corpus.command()
def check(
    paths: Annotated[list[str], typer.Argument(help="Folders, files, or quoted patterns: the whole new corpus.")],
    name: Corpus = None,
    contract: Annotated[Path | None, typer.Option(help="Check this contract in place of the corpus's own.")] = None,
    as_json: Json = False,
) -> None:
    """Check documents against the contract, compared with what serves, without ingesting them. 1: an error."""
    from retrieval.contract.checks import evaluate
    from retrieval.contract.model import read_contract
    from retrieval.files import list_files
    from retrieval.types import Severity

    files = list_files(paths)
    with services_for(corpus=name) as services, progress_bar(quiet=as_json) as progress:
        ingestor, chosen = services.ingestor, services.settings.corpus
        rules = read_contract(contract) if contract else ingestor.gate.contract(chosen)
        now, failed = ingestor.examine(files, progress)
        before = ingestor.gate.facts(ingestor.members(chosen))
        breaches = evaluate(rules, now, before, datetime.now(UTC))
    if as_json:
        print_json({"documents": len(now), "quarantined": failed, "breaches": [asdict(b) for b in breaches]})
    else:
        out.print(f"{len(now)} documents, {failed} would be quarantined, {len(breaches)} rules broken")
        print_breaches(breaches)
    raise typer.Exit(1 if any(breach.severity is Severity.ERROR for breach in breaches) else 0)


@corpus.command("contract")
def install_contract(file: Annotated[Path, typer.Argument(help="A contract (YAML).")], name: Corpus = None) -> None:
    """Make a file the corpus's contract, from the next ingest on."""
    with services_for(corpus=name) as services:
        chosen = services.settings.corpus
        contract = services.ingestor.gate.install(chosen, file)
    out.print(f"The contract of '{escape(chosen)}' is now [bold]{contract.fingerprint}[/].")


@corpus.command("list")
def list_snapshots(name: Corpus = None, as_json: Json = False) -> None:
    """List the snapshots, newest first."""
    with services_for(corpus=name) as services:
        found = services.snapshots.list(services.settings.corpus)
    if as_json:
        print_json([asdict(row) for row in found])
        return
    table = Table(
        Column("snapshot", no_wrap=True, min_width=16),
        "serves",
        "documents",
        "chunks",
        "made",
        "activated",
        "by",
        "contract",
        "index",
    )
    for row in found:
        made, last = row.snapshot, row.activation
        table.add_row(
            made.id,
            "[green]yes[/]" if row.serves else "",
            str(made.documents),
            str(made.chunks),
            f"{made.created:%Y-%m-%d %H:%M}",
            f"{last.at:%Y-%m-%d %H:%M}" if last and last.at else "",
            escape(last.who) if last else "",
            last.contract if last else "",
            "yes" if row.indexed else "",
        )
    out.print(table)


@corpus.command()
def diff(
    before: Annotated[str, typer.Argument(help="A snapshot's id or its first digits.")],
    after: SnapshotId = None,
    name: Corpus = None,
    as_json: Json = False,
) -> None:
    """Print what changed from one snapshot to another."""
    with services_for(corpus=name) as services:
        chosen, snapshots = services.settings.corpus, services.snapshots
        found = snapshots.diff(chosen, snapshots.find(chosen, before), snapshots.find(chosen, after))
    if as_json:
        print_json(asdict(found))
        return
    for mark, uris in {"+": found.added, "-": found.removed, "~": found.changed, "@": found.relabelled}.items():
        for uri in uris:
            sys.stdout.write(f"{mark} {uri}\n")
    counts = ", ".join(f"{len(uris)} {kind}" for kind, uris in asdict(found).items())
    err.print(counts)


@corpus.command()
def activate(snapshot: Annotated[str, typer.Argument(help="Its id or first digits.")], name: Corpus = None) -> None:
    """Make a snapshot the one that serves. Nothing is embedded anew."""
    with services_for(corpus=name) as services:
        chosen = services.settings.corpus
        found = services.snapshots.find(chosen, snapshot)
        services.snapshots.activate(chosen, found)
    out.print(f"'{escape(chosen)}' now serves [bold]{found}[/].")


@corpus.command()
def rollback(name: Corpus = None) -> None:
    """Make the snapshot serve that served before."""
    with services_for(corpus=name) as services:
        chosen = services.settings.corpus
        found = services.snapshots.rollback(chosen)
    out.print(f"'{escape(chosen)}' serves [bold]{found}[/] again.")


@corpus.command()
def reindex(
    snapshot: SnapshotId = None,
    kind: Annotated[IndexKind | None, typer.Option(help="Default: as the settings say.")] = None,
    name: Corpus = None,
) -> None:
    """Build a snapshot's index anew from stored vectors and put it in the old one's place while that serves."""
    chosen_kind = {"retrieval": {"index": {"kind": kind.value}}} if kind else {}
    with services_for(corpus=name, **chosen_kind) as services:
        chosen = services.settings.corpus
        found = services.snapshots.find(chosen, snapshot)
        services.snapshots.reindex(chosen, found)
    out.print(f"The index of [bold]{found}[/] was built anew.")


@corpus.command()
def export(
    path: Annotated[Path, typer.Argument(help="The ZIP archive to write.")],
    snapshot: SnapshotId = None,
    name: Corpus = None,
) -> None:
    """Write a snapshot as an archive: manifest, documents, chunks, vectors. The same snapshot gives the same bytes."""
    with services_for(corpus=name) as services:
        chosen = services.settings.corpus
        found = services.snapshots.find(chosen, snapshot)
        documents = services.snapshots.export(chosen, found, path)
    out.print(f"{documents} documents of [bold]{found}[/] are in {escape(str(path))}.")


@corpus.command()
def verify(snapshot: SnapshotId = None, name: Corpus = None, as_json: Json = False) -> None:
    """Check every hash, and ask the index for every vector by itself. 1: something is wrong."""
    with services_for(corpus=name) as services:
        chosen = services.settings.corpus
        found = services.snapshots.find(chosen, snapshot)
        faults = list(services.snapshots.verify(chosen, found))
        erased = services.snapshots.erasures(chosen, found)
    if as_json:
        print_json({"snapshot": found, "faults": faults, "erased": erased})
    else:
        for note in erased:
            out.print(f"[dim]{escape(note)}[/]")
        for fault in faults:
            out.print(f"[red]✗[/] {escape(fault)}")
        out.print(f"[bold]{found}[/]: {'whole' if not faults else f'{len(faults)} faults'}")
    raise typer.Exit(1 if faults else 0)


@corpus.command()
def pii(snapshot: SnapshotId = None, name: Corpus = None, as_json: Json = False) -> None:
    """Print how much personal data was found in each document on its way in, by kind. Needs a policy that looks."""
    with services_for(corpus=name) as services:
        chosen = services.settings.corpus
        members = services.corpora.members(chosen, services.snapshots.find(chosen, snapshot))
        found = services.ingestor.scrubs.found([(member.doc_id, member.version) for member in members])
    rows = [(m, found[m.doc_id, m.version]) for m in members if found.get((m.doc_id, m.version))]
    looked = sum((m.doc_id, m.version) in found for m in members)
    if as_json:
        print_json({"documents": len(members), "looked_through": looked, "found": {m.uri: by for m, by in rows}})
        return
    table = Table("document", "found", caption=f"{looked} of {len(members)} documents were looked through")
    for member, by_kind in rows:
        table.add_row(escape(member.uri), ", ".join(f"{count} {kind}" for kind, count in by_kind.items()))
    out.print(table)
