"""The accepted baseline of a suite: the run of the release in production, kept in the repository."""

import json
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from evals.errors import EvalsError, RunDamaged
from evals.golden.writing import write_cases
from evals.running.records import Run, load_run, pack_records, write_run

MIN_REASON_CHARS = 10
HISTORY = "history.jsonl"


def shipped_baseline(suite: str) -> Path:
    """Where the baseline of a suite lies, seen from the root of a checkout."""
    return Path("evals/baselines") / suite


def load_baseline(folder: Path) -> Run | None:
    """The accepted run, or None where none was accepted yet.

    Raises:
        RunDamaged: There is one, but it cannot be read.
    """
    old = _old(folder)
    if old.exists() and not folder.exists():
        old.rename(folder)  # a crash came between the two renames of `_swap`
    return load_run(folder) if (folder / "run.json").is_file() else None


def accept(run: Run, folder: Path, reason: str, who: str) -> None:
    """Make a run the baseline of its suite, on record; the old one stays in the repository's history.

    Args:
        run: A finished run of the dev split.
        folder: Where the baseline is kept.
        reason: Why; at least ten characters, for whoever asks in a year.
        who: Who accepts it.

    Raises:
        EvalsError: The reason says nothing, or the run cannot be a baseline.
    """
    if len(reason.strip()) < MIN_REASON_CHARS:
        raise EvalsError(f"Give a reason of at least {MIN_REASON_CHARS} characters: --reason '…'.")
    summary = run.info.summary
    if summary is None or summary.unmeasurable:
        raise EvalsError(f"{run.folder.name} is not a finished, measurable run.")
    if run.info.split != "dev":
        raise EvalsError("A run of the locked test split holds no answers and cannot be a baseline.")
    previous = load_baseline(folder)
    entry = {
        "accepted": datetime.now(UTC).isoformat(),
        "who": who,
        "reason": reason.strip(),
        "run": run.folder.name,
        "release": run.info.release.id,
        "commit": run.info.commit,
        "replaces": previous.info.release.id if previous else None,
    }
    history = (folder / HISTORY).read_text("utf-8") if (folder / HISTORY).is_file() else ""
    folder.parent.mkdir(parents=True, exist_ok=True)
    built = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    write_run(built / "run.json", run.info)
    write_cases(built / "cases.jsonl", run.cases)
    (built / "records.jsonl.xz").write_bytes(pack_records(run.records))
    (built / HISTORY).write_text(history + json.dumps(entry, ensure_ascii=False) + "\n", encoding="utf-8")
    _swap(built, folder)


def history(folder: Path) -> list[dict[str, str | None]]:
    """Every acceptance, oldest first.

    Raises:
        RunDamaged: A line is not an entry.
    """
    path = folder / HISTORY
    if not path.is_file():
        return []
    try:
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    except ValueError as error:
        raise RunDamaged(f"{path} cannot be read: {error}") from None


def _swap(built: Path, folder: Path) -> None:
    """Put a folder in another's place; what a crash in between leaves is put right by `load_baseline`."""
    built.chmod(0o755)
    old = _old(folder)
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    built.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")
