"""`evals compare`, `evals history`, `evals report`, `evals track`: runs that lie on disk."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from evals.commands.options import Door, Home, Json, command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evals.report.history import Entry

RunName = Annotated[str, typer.Argument(help="Folder of a run, its name under HOME/runs, latest, or baseline:SUITE.")]
_RUN_WIDTH, _METRIC_WIDTH = 50, 17
_COLOURS = {0: "green", 1: "red", 2: "yellow", 3: "magenta"}


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """Options of `evals compare`."""

    baseline: RunName
    candidate: RunName
    suite: Annotated[
        str | None, typer.Option(help="Whose rules hold: a name, or a .yaml file. Default: the runs' suite.")
    ] = None
    write: Annotated[bool, typer.Option("--write", help="Write the reports into the candidate's folder.")] = False
    home: Home = None
    as_json: Json = False


def compare(door: Door, given: CompareOptions) -> None:
    """Gate one run against another, by the rules of their suite as they are now.

    Exit codes: 0 PASS; 1 FAIL; 2 INCONCLUSIVE; 3 UNMEASURABLE; 4 the runs cannot be compared, and why.
    """
    from evals.report.comparing import find_run, judge_runs
    from evals.report.terminal import show_run
    from evals.report.write import gate_json, write_reports
    from evals.suites import load_suite

    runs = _home(given.home) / "runs"
    baseline, candidate = find_run(given.baseline, runs), find_run(given.candidate, runs)
    gate = judge_runs(baseline, candidate, load_suite(given.suite or candidate.info.suite))
    if given.write:
        write_reports(candidate, gate, baseline, {})
    if given.as_json:
        sides = {"baseline": baseline.folder.name, "candidate": candidate.folder.name}
        door.print_json({**sides, "gate": gate_json(gate)})
    else:
        show_run(candidate, gate, door.out, written=given.write)
    raise typer.Exit(int(gate.verdict))


@dataclass(frozen=True, kw_only=True)
class HistoryOptions:
    """Options of `evals history`."""

    suite: Annotated[str | None, typer.Argument(help="Name of a suite. Default: all.")] = None
    html: Annotated[Path | None, typer.Option("--html", help="Write a page with trend lines here.")] = None
    home: Home = None
    as_json: Json = False


def history(door: Door, given: HistoryOptions) -> None:
    """Show how a suite went over its runs, newest first: verdicts, and the metrics that matter with their intervals.

    Exit codes: 0 there are runs; 1 there is none.
    """
    from evals.gate.baseline import shipped_baseline
    from evals.golden.writing import replace_file
    from evals.report.history import entries, main_metrics
    from evals.report.page import history_html
    from evals.report.wording import clipped

    baselines = shipped_baseline("any").parent
    found = entries(_home(given.home) / "runs", baselines, given.suite)
    metrics = main_metrics(found, given.suite)
    if given.html:
        title = f"History of {given.suite}" if given.suite else "History of all suites"
        given.html.parent.mkdir(parents=True, exist_ok=True)
        replace_file(given.html, history_html(found, metrics, title).encode("utf-8", "replace"))
    if given.as_json:
        door.print_json([_as_json(entry) for entry in found])
    elif found:
        door.out.print(_history_table(found, metrics, door.out.width))
        for entry in found:
            if entry.problem:
                said = escape(clipped(entry.problem, 300))
                door.out.print(f"[yellow]{escape(entry.name)}[/]: {said}", soft_wrap=True, highlight=False)
    else:
        door.out.print("There is no run yet.")
    raise typer.Exit(0 if found else 1)


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """Options of `evals report`."""

    run: RunName
    home: Home = None


def report(door: Door, given: ReportOptions) -> None:
    """Write the reports of a run anew, from its records and from what its gate found then.

    Exit codes: 0 written; 4 the run cannot be read, or broke off.
    """
    from evals.errors import RunDamaged
    from evals.report.comparing import find_run
    from evals.report.write import stored, write_reports

    run = find_run(given.run, _home(given.home) / "runs")
    if run.info.summary is None:
        raise RunDamaged(f"{run.folder.name} broke off; finish it with: evals run {run.info.suite} --resume …")
    gate, baseline, variants = stored(run)
    write_reports(run, gate, baseline, variants)
    door.out.print(escape(str(run.folder / "report.html")), soft_wrap=True, highlight=False)


@dataclass(frozen=True, kw_only=True)
class TrackOptions:
    """Options of `evals track`."""

    run: RunName
    uri: Annotated[str | None, typer.Option(help="Of an MLflow server. Default: a database under HOME.")] = None
    home: Home = None


def track(door: Door, given: TrackOptions) -> None:
    """Log a finished run to MLflow: parameters, metrics with intervals, tags, and the report.

    Exit codes: 0 logged; 4 the run cannot be read, or MLflow cannot be reached or is not installed.
    """
    from evals.report.comparing import find_run
    from evals.report.write import stored
    from evals.tracking import track

    home = _home(given.home)
    run = find_run(given.run, home / "runs")
    gate, _, _ = stored(run)
    door.out.print(f"MLflow run {track(run, gate, given.uri, home)}", highlight=False)


def _home(given: Path | None) -> Path:
    from app.settings import load_settings

    return load_settings(home=given).home


def _history_table(found: "Sequence[Entry]", metrics: "Sequence[str]", width: int) -> Table:
    from evals.report.wording import interval, number, short_id

    metrics = metrics[: max(1, (width - _RUN_WIDTH) // _METRIC_WIDTH)]
    table = Table(title_justify="left", show_lines=True)
    table.add_column("run, release, commit", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for name in metrics:
        table.add_column(escape(name).replace("_", "\n"))
    for entry in found:
        if entry.started is None:
            continue
        name = f"{entry.name} (baseline)" if entry.accepted else entry.name
        said = "\n".join(escape(text) for text in (name, entry.release, short_id(entry.commit)))
        verdict = "–"
        if entry.verdict is not None:
            verdict = f"[{_COLOURS[int(entry.verdict)]}]{entry.verdict.name}[/]"
        estimates = [entry.metrics.get(metric) for metric in metrics]
        cells = [escape(f"{number(one.mean)}\n{interval(one.low, one.high)}") if one else "–" for one in estimates]
        table.add_row(said, verdict, *cells)
    return table


def _as_json(entry: "Entry") -> dict[str, object]:
    return {
        "run": entry.name,
        "suite": entry.suite,
        "split": entry.split,
        "started": entry.started,
        "release": entry.release,
        "commit": entry.commit,
        "verdict": entry.verdict.name if entry.verdict is not None else None,
        "accepted": entry.accepted,
        "metrics": {name: [one.mean, one.low, one.high, one.n] for name, one in entry.metrics.items()},
        "problem": entry.problem or None,
    }


def add_to(cli: typer.Typer) -> None:
    """Register the commands of this file."""
    command(cli)(compare)
    command(cli)(history)
    command(cli)(report)
    command(cli)(track)
