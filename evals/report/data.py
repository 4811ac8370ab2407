"""report.json: all of a report that machines read, under a version."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from evals.errors import RunDamaged
from evals.running.records import Run
from evals.types import GateReport, RunInfo, Summary, Verdict

VERSION = 1
NAME = "report.json"


@dataclass(frozen=True, slots=True)
class Named:
    """Another run, by the name of its folder, without the way to it, and by what tells it from a later one there."""

    folder: str
    release: str
    started: datetime

    def means(self, info: RunInfo) -> bool:
        """Whether that run is the one that is named."""
        return (self.release, self.started) == (info.release.id, info.started)


@dataclass(frozen=True, slots=True)
class StoredReport:
    """What a report.json says that the run itself does not."""

    gate: GateReport | None
    baseline: Named | None
    variants: Mapping[str, Named]


_GATE = TypeAdapter(GateReport)
_INFO = TypeAdapter(RunInfo)
_SUMMARY = TypeAdapter(Summary | None)
_NAMED = TypeAdapter(Named)


def gate_json(gate: GateReport | None) -> dict[str, Any] | None:
    """A gate report as JSON values; verdicts by name."""
    if gate is None:
        return None
    found: dict[str, Any] = _GATE.dump_python(gate, mode="json")
    found["verdict"] = gate.verdict.name
    for stated, finding in zip(found["findings"], gate.findings, strict=True):
        stated["verdict"] = None if finding.verdict is None else finding.verdict.name
    return found


def report_json(run: Run, gate: GateReport | None, baseline: Run | None, variants: Mapping[str, Run]) -> str:
    """The content of report.json.

    Args:
        run: Without what must not be shown.
        gate: What the gate found.
        baseline: What it was compared with.
        variants: Runs of simpler things, by name.
    """
    stated = {
        "version": VERSION,
        "run": run.folder.name,
        "info": _INFO.dump_python(replace(run.info, summary=None), mode="json", exclude={"summary"}),
        "summary": _SUMMARY.dump_python(run.info.summary, mode="json"),
        "gate": gate_json(gate),
        "baseline": _NAMED.dump_python(_named(baseline), mode="json") if baseline else None,
        "variants": {name: _NAMED.dump_python(_named(variant), mode="json") for name, variant in variants.items()},
    }
    return json.dumps(stated, ensure_ascii=False, indent=2) + "\n"


def read_report(folder: Path) -> StoredReport | None:
    """What an earlier report of a run says; None where it has none.

    Raises:
        RunDamaged: It cannot be read, or has another version.
    """
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        stated = json.loads(path.read_bytes())
        if stated["version"] != VERSION:
            raise RunDamaged(f"{path} has version {stated['version']}, this Assay reads version {VERSION}.")
        gate = stated["gate"]
        if gate is not None:
            for holder in (gate, *gate["findings"]):
                holder["verdict"] = None if holder["verdict"] is None else Verdict[holder["verdict"]]
        return StoredReport(
            gate=None if gate is None else _GATE.validate_json(json.dumps(gate)),
            baseline=_NAMED.validate_python(stated["baseline"]) if stated["baseline"] else None,
            variants={name: _NAMED.validate_python(named) for name, named in stated["variants"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ValidationError) as error:
        raise RunDamaged(f"{path} cannot be read: {type(error).__name__}: {error}") from None


def _named(run: Run) -> Named:
    return Named(run.folder.name, run.info.release.id, run.info.started)
