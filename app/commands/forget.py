"""`assay forget`, `assay retain`: taking things out again."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from app.commands.options import command
from app.commands.shared import Json, err, out, print_json, progress_bar, services_for

if TYPE_CHECKING:
    from app.bootstrap import Services
    from app.erasure import Forget, Outcome, Plan

LISTED = 50
"""Uris and files that are shown; `--json` has all."""

Corpora = Annotated[
    list[str] | None, typer.Option("--corpus", help="Only in this corpus; may be given again. Default: in all.")
]
Subject = Annotated[
    str | None, typer.Option(help="Whatever contains this value: whole documents, turns, … - reads it from input.")
]


@dataclass(frozen=True, kw_only=True)
class ForgetOptions:
    """Options of `assay forget`."""

    doc: Annotated[str | None, typer.Option(help="A document, by id or uri, with all its versions.")] = None
    subject: Subject = None
    corpus: Corpora = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False
    receipt: Annotated[Path | None, typer.Option(help="Write a copy of the receipt to this file.")] = None
    resume: Annotated[bool, typer.Option("--resume", help="Finish what a crash or a trace kept from ending.")] = False
    check: Annotated[Path | None, typer.Option(help="Check a receipt's signature, and print it.")] = None
    lift: Annotated[str | None, typer.Option(help="Let in again what the receipt of this id keeps out.")] = None
    as_json: Json = False


def forget(given: ForgetOptions) -> None:
    """Erase a document, or all that holds a value, from everything under ASSAY_HOME, and sign a receipt.

    Afterwards every byte there is looked through. Exit codes: 0 nothing of it is left; 1 something is, the receipt says
    where; 2 misuse. docs/erasure.md says what is erased and what cannot be.
    """
    modes = [name for name in ("doc", "subject", "check", "lift") if getattr(given, name) is not None]
    if len(modes) + given.resume != 1:
        raise typer.BadParameter("Give one of --doc, --subject, --resume, --check and --lift.")
    with services_for() as services:
        if given.check is not None:
            receipt = services.forget.receipts.check(given.check)
            print_json(receipt)
            err.print("[green]genuine[/]: this ASSAY_HOME signed it as it is")
        elif given.lift is not None:
            count = services.forget.lift(given.lift)
            out.print(f"{count} things that the receipt [bold]{escape(given.lift)}[/] kept out may come in again.")
        elif given.resume:
            with progress_bar(quiet=given.as_json) as progress:
                outcomes = services.forget.resume(progress or _silent, all_of_them=True)
            show(outcomes, given)
        else:
            show([erase(services, given)], given)


def erase(services: "Services", given: ForgetOptions, elsewhere: Any = ()) -> "Outcome":
    """Show what would go, ask, and erase. Ends the command where nothing is to be done."""
    from retrieval.erasure import Named

    value = sys.stdin.readline().strip() if given.subject == "-" else given.subject
    named = Named(given.doc or "", value or "", tuple(sorted(given.corpus or ())))
    if given.dry_run or not given.yes:
        plan = services.forget.plan(named, elsewhere)
        _show_plan(plan, as_json=given.as_json)
        if given.dry_run:
            raise typer.Exit
        if given.as_json or not sys.stdin.isatty():
            raise typer.BadParameter("Give --yes to erase this without being asked, or --dry-run to only look.")
        typer.confirm("Erase this for good?", abort=True)
    with progress_bar(quiet=given.as_json) as progress:
        return services.forget.run(named, progress or _silent, elsewhere)


def show(outcomes: "list[Outcome]", given: ForgetOptions) -> None:
    """Show receipts, and end the command with what the scans found."""
    if given.receipt and outcomes:
        from app.files import write_file
        from app.receipts import as_file

        write_file(given.receipt, as_file(outcomes[-1].receipt))
    if given.as_json:
        print_json([outcome.receipt for outcome in outcomes] if given.resume else outcomes[0].receipt)
    else:
        for outcome in outcomes:
            _show_outcome(outcome)
        if not outcomes:
            out.print("Nothing was left unfinished.")
    raise typer.Exit(0 if all(outcome.clean for outcome in outcomes) else 1)


def finish(forget: "Forget") -> None:
    """Finish erasures that a crash interrupted, before something new is begun. One that cannot be is told of."""
    from app.errors import AssayError
    from retrieval.errors import RetrievalError

    try:
        for outcome in forget.resume(_silent, all_of_them=False):
            err.print(
                f"[yellow]assay:[/] finished an erasure that was interrupted: receipt {escape(str(outcome.path))}"
            )
    except (AssayError, RetrievalError) as error:
        err.print(f"[yellow]assay:[/] an erasure is unfinished (`assay forget --resume`): {escape(str(error))}")


def retain(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False, as_json: Json = False
) -> None:
    """Remove what is older than the settings under `retention` allow. The service does it once a day by itself."""
    with services_for() as services:
        policy = services.retention
        counts = policy.due() if dry_run else policy.apply()
    if as_json:
        print_json({"dry_run": dry_run, "removed": dict(counts)})
    elif policy.off:
        out.print("Nothing is removed by age: no setting under `retention` is set.")
    else:
        said = ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "nothing"
        out.print(f"{'Would remove' if dry_run else 'Removed'}: {said}.")


def add_to(cli: typer.Typer) -> None:
    """Add the commands of this file."""
    command(cli)(forget)
    cli.command()(retain)


def _show_plan(plan: "Plan", *, as_json: bool) -> None:
    if as_json:
        print_json({"erases": plan.counts, "documents": plan.uris, "files": plan.files, "copies": plan.copies})
        return
    table = Table("what would go", "")
    for name, count in plan.counts.items():
        table.add_row(name, str(count))
    out.print(table)
    for title, names in (("documents", plan.uris), ("files", plan.files)):
        for name in names[:LISTED]:
            out.print(f"[red]-[/] {escape(name)}", highlight=False)
        if len(names) > LISTED:
            out.print(f"… and {len(names) - LISTED} more {title}; --json lists all")
    for name in plan.copies[:LISTED]:
        out.print(f"[yellow]stays[/] {escape(name)}: the same bytes under another name", highlight=False)


def _show_outcome(outcome: "Outcome") -> None:
    table = Table("erased", "")
    for name, count in outcome.receipt["erased"].items():
        table.add_row(name, str(count))
    out.print(table)
    for trace in outcome.left:
        out.print(f"[red]left[/] {escape(trace.where)}: {escape(trace.form)}", highlight=False)
    found = "no trace is left" if outcome.clean else "[red]traces are left[/]: see docs/erasure.md, then --resume"
    out.print(f"{found}\nreceipt [bold]{escape(str(outcome.path))}[/]", soft_wrap=True)


def _silent(step: str, done: int, total: int) -> None:
    """Show no progress."""
