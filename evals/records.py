"""A run on disk: run.json, and records.jsonl, to which each case is added for good as soon as it is done."""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import TypeAdapter, ValidationError

from evals.errors import RunDamaged
from evals.types import CaseRecord, RunInfo

_RECORD = TypeAdapter(CaseRecord)
_RUN = TypeAdapter(RunInfo)


class RecordFile:
    """Appends records; a record that `append` returned from outlives a crash of the machine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        self._file = self._path.open("xb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, record: CaseRecord) -> None:
        """Write one line through to the disk."""
        self._file.write(_RECORD.dump_json(record) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def read_records(path: Path) -> list[CaseRecord]:
    """All whole records of a run; a last line without an end is what a crash left, and is passed over.

    Raises:
        RunDamaged: The file cannot be read, or another line is not a record.
    """
    try:
        whole, _, _ = path.read_bytes().rpartition(b"\n")
    except OSError as error:
        raise RunDamaged(f"{path} cannot be read: {error}") from None
    records = []
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            records.append(_RECORD.validate_json(line))
        except ValidationError as error:
            raise RunDamaged(f"{path}:{number} is not a record: {error.errors()[0]['msg']}") from None
    return records


def write_run(path: Path, info: RunInfo) -> None:
    """Write run.json whole or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_bytes(_RUN.dump_json(info, indent=2) + b"\n")
    partial.replace(path)


def read_run(path: Path) -> RunInfo:
    """Read run.json.

    Raises:
        RunDamaged: It cannot be read.
    """
    try:
        return _RUN.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise RunDamaged(f"{path} cannot be read: {error}") from None


def run_json(info: RunInfo) -> str:
    """A run as JSON for machines."""
    return _RUN.dump_json(info, indent=2).decode()
