"""`evals baseline` and `evals power`: what a candidate is compared with, and what a suite can see."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from evals.commands.options import Door, command


@dataclass(frozen=True, kw_only=True)
class AcceptOptions:
    """Options of `evals baseline accept`."""

    run: Annotated[Path, typer.Argument(help="Folder of a finished run of the dev split.")]
    reason: Annotated[str, typer.Option(help="Why; stands in the baseline's history.")]
    to: Annotated[Path | None, typer.Option(help="Folder of the baseline. Default: evals/baselines/SUITE.")] = None


def accept(door: Door, given: AcceptOptions) -> None:
    """Make a run the baseline that candidates of its suite are compared with, on record.

    Exit codes: 0 accepted; 4 the run cannot be a baseline, or the reason says nothing.
    """
    from evals.gate.baseline import accept, shipped_baseline
    from evals.running.provenance import git_user
    from evals.running.records import load_run

    run = load_run(given.run)
    folder = given.to or shipped_baseline(run.info.suite)
    accept(run, folder, given.reason, git_user(Path.cwd()))
    door.out.print(f"{escape(run.folder.name)} is now the baseline in {escape(str(folder))}. Commit that folder.")


@dataclass(frozen=True, kw_only=True)
class ShowOptions:
    """Options of `evals baseline show`."""

    suite: Annotated[str, typer.Argument(help="Name of a suite.")]
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines, nothing else.")] = False


def show(door: Door, given: ShowOptions) -> None:
    """Show every baseline that a suite has had: when, who, why, which release.

    Exit codes: 0 there is one; 1 there is none.
    """
    from evals.gate.baseline import history, shipped_baseline

    entries = history(shipped_baseline(given.suite))
    if given.as_json:
        door.print_json(entries)
    else:
        table = Table("accepted", "release", "run", "who", "reason", title=f"baselines of {given.suite}")
        for entry in entries:
            table.add_row(*(escape(str(entry[key])) for key in ("accepted", "release", "run", "who", "reason")))
        door.out.print(table)
    raise typer.Exit(0 if entries else 1)


@dataclass(frozen=True, kw_only=True)
class PowerOptions:
    """Options of `evals power`."""

    suite: Annotated[str, typer.Argument(help="Name of a shipped suite, or the path of a .yaml file.")]
    simulations: Annotated[int, typer.Option(min=20, max=10_000, help="Pairs of runs for each size of loss.")] = 200
    flaky: Annotated[float, typer.Option(min=0, max=1, help="Share of cases whose outcome is a matter of chance.")] = (
        0.05
    )
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines, nothing else.")] = False


def power(door: Door, given: PowerOptions) -> None:
    """Tell what loss a suite's gate can see: simulated losses of the accepted baseline, through the gate itself.

    Exit codes: 0 done; 4 there is no accepted baseline.
    """
    from evals.errors import EvalsError
    from evals.gate.baseline import load_baseline, shipped_baseline
    from evals.gate.power import detectable
    from evals.suites import load_suite

    suite = load_suite(given.suite)
    baseline = load_baseline(shipped_baseline(suite.name))
    if baseline is None:
        raise EvalsError(f"The suite '{suite.name}' has no baseline yet: evals run, then evals baseline accept.")
    with door.progress(given.as_json) as progress:
        found = detectable(suite, baseline, given.simulations, given.flaky, progress)
    if given.as_json:
        door.print_json([asdict(row) for row in found])
        return
    title = f"{suite.name}: {found[0].cases} cases, {given.simulations} simulated pairs a row"
    table = Table("what goes wrong", "of the answerable", "FAIL", "INCONCLUSIVE", "PASS", title=title)
    for row in found:
        what = (
            "nothing" if not row.loss else "right answers become wrong" if row.harm == "wrong" else "… become refusals"
        )
        table.add_row(what, f"{row.loss:.0%}", f"{row.fail:.0%}", f"{row.inconclusive:.0%}", f"{row.passed:.0%}")
    door.out.print(table)


def add_to(cli: typer.Typer) -> None:
    """Register the commands of this file."""
    baseline = typer.Typer(no_args_is_help=True, help="The run that candidates are compared with.")
    command(baseline)(accept)
    command(baseline)(show)
    cli.add_typer(baseline, name="baseline")
    command(cli)(power)
