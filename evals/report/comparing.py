"""Two runs that lie on disk, gated by the rules of their suite; or why they cannot be compared."""

from pathlib import Path

from evals.errors import NotComparable, RunDamaged
from evals.gate.baseline import shipped_baseline
from evals.gate.gate import Judge, Side
from evals.running.latest import LATEST, latest_run
from evals.running.records import Run, load_run
from evals.suites import Suite
from evals.types import GateReport

_BASELINE = "baseline:"


def find_run(named: str, runs: Path) -> Run:
    """A run by its folder, by its name under HOME/runs, as `baseline:SUITE`, or the `latest` one.

    Raises:
        RunDamaged: There is none, or it cannot be read.
    """
    if named.startswith(_BASELINE):
        places = [shipped_baseline(named.removeprefix(_BASELINE))]
    elif named == LATEST:
        newest = latest_run(runs)
        places = [newest] if newest else []
    else:
        places = [Path(named), runs / named]
    for folder in places:
        if (folder / "run.json").is_file():
            return load_run(folder)
    raise RunDamaged(f"There is no run '{named}': give its folder, its name under {runs}/, latest, or baseline:SUITE.")


def judge_runs(baseline: Run, candidate: Run, suite: Suite) -> GateReport:
    """What the gate says of one run against another.

    Args:
        baseline: What is in production.
        candidate: What may replace it.
        suite: Whose rules hold.

    Raises:
        NotComparable: The message says why.
    """
    if why := why_not(baseline, candidate):
        raise NotComparable(f"{baseline.folder.name} and {candidate.folder.name} cannot be compared: {why}.")
    judge = Judge(suite, {case.id: case for case in candidate.cases})
    return judge.judge(Side(candidate.info, candidate.records), Side(baseline.info, baseline.records))


def why_not(baseline: Run, candidate: Run) -> str:
    """Why two runs cannot be compared; "" where they can."""
    before, after = baseline.info, candidate.info
    for run in (baseline, candidate):
        if run.info.summary is None:
            return f"{run.folder.name} broke off; finish it with: evals run {run.info.suite} --resume {run.folder}"
        if run.info.split == "test":
            return f"{run.folder.name} is of the locked test split, which keeps no case to pair"
    if before.suite != after.suite:
        return f"one is of the suite '{before.suite}', the other of '{after.suite}'"
    if not before.golden_sets.keys() & after.golden_sets.keys():
        sets = (", ".join(one.golden_sets) for one in (before, after))
        return "they share no golden set ({} and {})".format(*sets)
    asked = [{(record.case_id, record.case_sha256) for record in run.records} for run in (baseline, candidate)]
    if not asked[0] & asked[1]:
        return "no case was asked in the same words in both"
    return ""
