"""How a suite went over its runs: those under HOME/runs, and the accepted baselines."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from evals.errors import EvalsError
from evals.report.data import read_report
from evals.running.records import read_run
from evals.running.variants import CANDIDATE
from evals.suites import load_suite
from evals.types import Estimate, Verdict

MAX_METRICS = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """One run. `problem` says why its numbers are missing, if they are."""

    name: str
    suite: str = "–"
    split: str = "–"
    started: datetime | None = None
    release: str = "–"
    commit: str | None = None
    verdict: Verdict | None = None
    accepted: bool = False
    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    problem: str = ""


class Point(NamedTuple):
    """One run of a trend line."""

    when: str
    mean: float
    low: float | None
    high: float | None


def entries(runs: Path, baselines: Path, suite: str | None) -> list[Entry]:
    """Every run of a suite (None: of all), newest first; what cannot be read comes last, with the reason.

    Runs of simpler variants are left out: they are no releases.

    Args:
        runs: The folder of all runs.
        baselines: The folder of all accepted baselines.
        suite: Name of a suite.
    """
    found = [
        entry
        for root, accepted in ((runs, False), (baselines, True))
        for folder in (sorted(root.iterdir()) if root.is_dir() else ())
        if folder.is_dir() and not folder.name.startswith(".")
        if (entry := _entry(folder, accepted=accepted)) and (suite is None or entry.problem or entry.suite == suite)
    ]
    told = [entry for entry in found if entry.started]
    return [
        *sorted(told, key=lambda entry: (entry.started, entry.name), reverse=True),
        *(entry for entry in found if not entry.started),
    ]


def main_metrics(found: Iterable[Entry], suite: str | None) -> Sequence[str]:
    """The metrics that matter most: those that the suite gates, else the first that the newest run has."""
    named = [entry for entry in found if entry.metrics]
    gated: list[str] = []
    for name in [suite] if suite else dict.fromkeys(entry.suite for entry in named):
        try:
            gated += [metric for metric in load_suite(name).gate.metrics if metric not in gated]
        except EvalsError:
            continue  # a suite that is gone: its runs still have numbers
    known = dict.fromkeys(metric for entry in named for metric in entry.metrics)
    return [metric for metric in [*gated, *known] if metric in known][:MAX_METRICS] if gated else [*known][:MAX_METRICS]


def points(found: Sequence[Entry], metrics: Iterable[str]) -> dict[str, list[Point]]:
    """Each metric over time, oldest first. Suites and splits ask different cases, so each has lines of its own."""
    timed = [entry for entry in reversed(found) if entry.started]
    series = dict.fromkeys((entry.suite, entry.split) for entry in timed)
    lines = {}
    for metric in metrics:
        for suite, split in series:
            name = f"{metric} · {suite}" + (", test split" if split == "test" else "")
            lines[name] = [
                Point(f"{entry.started:%b %d}", one.mean, one.low, one.high)
                for entry in timed
                if (entry.suite, entry.split) == (suite, split) and (one := entry.metrics.get(metric)) is not None
            ]
    return {name: line for name, line in lines.items() if line}


def _entry(folder: Path, *, accepted: bool) -> Entry | None:
    try:
        info = read_run(folder / "run.json")
        report = read_report(folder)
    except EvalsError as error:
        return Entry(folder.name, problem=str(error))
    if info.variant != CANDIDATE:
        return None
    return Entry(
        name=folder.name,
        suite=info.suite,
        split=info.split,
        started=info.started,
        release=info.release.id,
        commit=info.commit,
        verdict=report.gate.verdict if report and report.gate else None,
        accepted=accepted,
        metrics=info.summary.overall if info.summary else {},
        problem="" if info.summary else "broke off; finish it with: evals run --resume",
    )
