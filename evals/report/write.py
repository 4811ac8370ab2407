"""The files of a report, beside the records of its run."""

from collections.abc import Mapping
from pathlib import Path

from evals.gate.baseline import shipped_baseline
from evals.golden.writing import replace_file
from evals.report.cases import without_cases
from evals.report.data import NAME, Named, StoredReport, gate_json, read_report, report_json
from evals.report.junit import junit_xml
from evals.report.markdown import summary_md
from evals.report.page import report_html
from evals.running.records import Run, load_run, read_run
from evals.types import GateReport

__all__ = ["gate_json", "stored", "write_reports"]


def write_reports(run: Run, gate: GateReport | None, baseline: Run | None, variants: Mapping[str, Run]) -> None:
    """Write report.json, report.html, junit.xml and summary.md into the run's folder, each whole or not at all.

    Args:
        run: A finished run. Of the locked test split only aggregates are written.
        gate: What the gate found; None where none was asked.
        baseline: What the run was compared with.
        variants: Runs of simpler things, by name.
    """
    shown, gate = without_cases(run, gate)
    texts = {
        NAME: report_json(shown, gate, baseline, variants),
        "report.html": report_html(shown, gate, baseline, variants),
        "summary.md": summary_md(shown, gate, baseline),
    }
    for name, text in texts.items():
        replace_file(run.folder / name, text.encode("utf-8", "replace"))
    replace_file(run.folder / "junit.xml", junit_xml(shown, gate, baseline))


def stored(run: Run) -> tuple[GateReport | None, Run | None, Mapping[str, Run]]:
    """What an earlier report of a run stood on: the gate's findings, the baseline and the variants still at hand.

    A baseline that has been replaced since is looked for beside the run.

    Raises:
        RunDamaged: The earlier report, or a run that it names, cannot be read.
    """
    found = read_report(run.folder) or StoredReport(None, None, {})
    baseline = _there(found.baseline, shipped_baseline(run.info.suite), run.folder.parent) if found.baseline else None
    variants = {name: _there(named, run.folder.parent) for name, named in found.variants.items()}
    return found.gate, baseline, {name: variant for name, variant in variants.items() if variant}


def _there(named: Named, *places: Path) -> Run | None:
    """The run that is meant, in one of some folders or in a folder of its name inside them."""
    for folder in (*places, *(place / Path(named.folder).name for place in places)):
        if (folder / "run.json").is_file() and named.means(read_run(folder / "run.json")):
            return load_run(folder)
    return None
