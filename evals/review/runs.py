"""Which run is reviewed, and what it is compared with."""

from collections.abc import Mapping
from pathlib import Path

from evals.errors import EvalsError, LockedError, RunDamaged, SuiteError
from evals.gate.baseline import load_baseline, shipped_baseline
from evals.running.latest import LATEST, latest_run
from evals.running.records import Run, load_run, read_run
from evals.scorers import SCORERS
from evals.suites import load_suite
from evals.types import Metric, RunInfo


def open_run(home: Path, named: str) -> Run:
    """A finished run of the dev split.

    Args:
        home: Its runs lie under runs/.
        named: "latest", the name of a run under `home`, or the path of a run's folder.

    Raises:
        EvalsError: There is none, or it is not finished.
        LockedError: It is a run of the test split.
        RunDamaged: It cannot be read.
    """
    runs = home / "runs"
    folder = latest_run(runs) if named == LATEST else next((p for p in (Path(named), runs / named) if p.is_dir()), None)
    if folder is None:
        raise EvalsError(f"There is no run '{named}' in {runs}/. `evals run SUITE` makes one.")
    info = read_run(folder / "run.json")
    if info.split != "dev":
        raise LockedError(f"{folder.name} is a run of the locked test split: nobody reads its cases. Review a dev run.")
    if info.finished is None:
        raise EvalsError(f"{folder.name} broke off. Finish it first: evals run {info.suite} --resume {folder}")
    return load_run(folder)


def open_baseline(run: Run, path: Path | None) -> Run | None:
    """The run at a path, else the accepted baseline of the suite; None where there is none, or it is the run itself.

    Raises:
        LockedError: It is a run of the test split.
        RunDamaged: It cannot be read.
    """
    if path is not None and not path.is_dir():
        raise RunDamaged(f"{path} is no folder of a run.")
    found = load_run(path) if path else load_baseline(shipped_baseline(run.info.suite))
    if found is not None and found.info.split != "dev":
        raise LockedError(f"{found.folder.name} is a run of the locked test split: it cannot be compared with here.")
    return found


def metrics_of(info: RunInfo) -> Mapping[str, Metric]:
    """What the scores of a run mean: by its suite where that is shipped, else by the scorers as they are."""
    try:
        return {**SCORERS, **load_suite(info.suite).metrics()}
    except SuiteError:
        return SCORERS
