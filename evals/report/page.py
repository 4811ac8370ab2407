"""report.html: one file without script or anything to fetch. Questions and answers are untrusted text in it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from evals.report import wording
from evals.report.cases import changed_cases, worst_misses
from evals.report.figures import calibrated, forest, latencies, learning, legend, risk, trend
from evals.report.history import Entry, points
from evals.running.records import Run
from evals.types import Comparison, GateReport, RunInfo, Summary

MAX_CHANGES = 50
MAX_MISSES = 15
MAX_FOREST_ROWS = 60

_TEMPLATES = Path(__file__).parent / "templates"


def report_html(run: Run, gate: GateReport | None, baseline: Run | None, variants: Mapping[str, Run]) -> str:
    """The report of a run as a page.

    Args:
        run: Without what must not be shown.
        gate: What the gate found.
        baseline: What it was compared with.
        variants: Runs of simpler things, by name.
    """
    summary = run.info.summary
    if summary is None:
        raise ValueError("a run that is reported is finished")
    changes = changed_cases(run, gate, baseline)
    misses = worst_misses(run)
    rows = _forest_rows(gate)
    return _environment().get_template("report.html").render(
        run=run,
        info=run.info,
        summary=summary,
        gate=gate,
        baseline=baseline,
        variants=variants,
        metrics=_metrics(summary, gate),
        groups=_groups(summary, gate),
        changes=changes[:MAX_CHANGES],
        changed=len(changes),
        lost=sum(1 for one in changes if one.lost),
        misses=misses[:MAX_MISSES],
        missed=len(misses),
        forest=Markup(forest(rows)),  # noqa: S704 -- drawn here; matplotlib escapes the labels
        left_off=len(gate.comparisons) - len(rows) if gate else 0,
        legend=legend(),
        risk=Markup(risk(run, baseline)),  # noqa: S704
        calibration=Markup(calibrated(run)),  # noqa: S704
        latency=Markup(latencies(run, baseline)),  # noqa: S704
        learning=Markup(learning(run, gate, baseline)),  # noqa: S704
        lift_metrics=_lift_metrics(gate),
        about=_about(run.info, baseline.info if baseline else None),
    )  # fmt: skip


def history_html(found: Sequence[Entry], metrics: Sequence[str], title: str) -> str:
    """A page of trend lines.

    Args:
        found: Runs, newest first.
        metrics: Those to show.
        title: Of the page.
    """
    drawn = {name: Markup(trend(name, line)) for name, line in points(found, metrics).items()}  # noqa: S704
    template = _environment().get_template("history.html")
    return template.render(rows=found, metrics=metrics, drawn=drawn, title=title)


def _environment() -> Environment:
    loader = FileSystemLoader(_TEMPLATES)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True)  # fmt: skip
    environment.filters |= {
        "clean": wording.clean,
        "clipped": wording.clipped,
        "number": wording.number,
        "short_id": wording.short_id,
        "changed": wording.changed,
        "tone": wording.tone,
        "breakable": _breakable,
    }
    environment.globals |= {
        "interval": wording.interval,
        "plural": wording.plural,
        "OUTCOMES": wording.OUTCOMES,
        "MEANINGS": wording.MEANINGS,
    }
    environment.globals["css"] = Markup((_TEMPLATES / "report.css").read_text("utf-8"))  # noqa: S704 -- ours
    return environment


def _breakable(name: str) -> Markup:
    """A name in which a narrow column may break after an underscore."""
    return Markup("_<wbr>").join(wording.clean(name).split("_"))


def _forest_rows(gate: GateReport | None) -> Sequence[Comparison]:
    """Each metric with its slices below it; of too many slices, the ones nearest to harm."""
    found = gate.comparisons if gate else ()
    whole = [one for one in found if one.slice is None]
    slices = [one for one in found if one.slice is not None]
    kept = sorted(slices, key=lambda one: one.low / one.margin)[: max(0, MAX_FOREST_ROWS - len(whole))]
    order = list(dict.fromkeys(one.metric for one in found))
    return sorted([*whole, *(one for one in slices if one in kept)],
                  key=lambda one: (order.index(one.metric), one.slice is not None))  # fmt: skip


def _lift_metrics(gate: GateReport | None) -> list[str]:
    lifts = gate.lifts.values() if gate else ()
    return list(dict.fromkeys(one.metric for found in lifts for one in found))


def _metrics(summary: Summary, gate: GateReport | None) -> list[dict[str, Any]]:
    against = {one.metric: one for one in gate.comparisons if one.slice is None} if gate else {}
    names = sorted(summary.overall, key=lambda name: name not in against)
    return [{"name": name, "found": summary.overall[name], "one": against.get(name)} for name in names]


def _groups(summary: Summary, gate: GateReport | None) -> list[dict[str, Any]]:
    """Rows of the table of kinds and slices, with the comparison of each cell where there is one."""
    sliced = {(one.slice, one.metric): one for one in gate.comparisons if one.slice} if gate else {}
    rows = []
    for prefix, groups in (("kind=", summary.by_kind), ("", summary.by_slice)):
        for name, estimates in groups.items():
            cells = [(estimates.get(metric), sliced.get((prefix + name, metric))) for metric in summary.overall]
            if estimates:
                rows.append({"name": prefix + name, "cells": cells})
    return rows


def _about(info: RunInfo, base: RunInfo | None) -> list[tuple[str, str, str | None, bool]]:
    """What was run: name, value, value of the baseline, and whether they differ."""

    def facts(of: RunInfo) -> dict[str, str]:
        release = of.release
        took = f"{(of.finished - of.started).total_seconds():.0f} s" if of.finished else "–"
        return {
            "started": of.started.strftime("%Y-%m-%d %H:%M:%S %Z"),
            "took": took,
            "commit": of.commit or "–",
            "release": release.id,
            "code": release.code_sha256,
            "provider": release.provider,
            "prompt": release.prompt,
            "embedder": release.embedder,
            "suite": f"{of.suite} {of.suite_sha256}",
            "repeats": str(of.repeats),
            "machine's pace": f"{of.reference_ms:g} ms for a fixed product" if of.reference_ms else "–",
            **{f"golden set {name}": sha for name, sha in of.golden_sets.items()},
            **{f"snapshot of {name}": snapshot for name, snapshot in of.snapshots.items()},
            **{f"part {name}": version for name, version in release.parts.items()},
            **{f"hardware {name}": value for name, value in of.hardware.items()},
            **{f"setting {name}": value for name, value in release.settings.items()},
            **{f"version of {name}": value for name, value in of.versions.items()},
        }

    now, then = facts(info), facts(base) if base else {}
    expected = {"started", "took", "machine's pace"}
    rows = []
    for name in dict.fromkeys((*now, *then)):
        value, before = now.get(name, "–"), then.get(name, "–") if base else None
        rows.append((name, value, before, before is not None and before != value and name not in expected))
    return rows
