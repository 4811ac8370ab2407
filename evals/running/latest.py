"""Which of the runs on disk is the newest that may be looked at."""

from pathlib import Path

from evals.errors import RunDamaged
from evals.running.records import read_run
from evals.running.variants import CANDIDATE

LATEST = "latest"
"""What people write instead of the name of a run."""


def latest_run(runs: Path) -> Path | None:
    """Folder of the newest finished run of the candidate on the dev split, or None; names begin with the time."""
    for folder in sorted((path.parent for path in runs.glob("*/run.json")), reverse=True):
        try:
            info = read_run(folder / "run.json")
        except RunDamaged:
            continue  # a run that just begins, or one of another version: the one before it is as good
        if info.finished is not None and info.split == "dev" and info.variant == CANDIDATE:
            return folder
    return None
