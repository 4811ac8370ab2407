"""A run on disk: run.json, cases.jsonl, and records.jsonl, to which each record is added for good once it is done."""

import lzma
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import TypeAdapter, ValidationError

from evals.errors import RunDamaged
from evals.golden.cases import Case, load_cases
from evals.types import CaseRecord, RunInfo

_RECORD = TypeAdapter(CaseRecord)
_RUN = TypeAdapter(RunInfo)


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it lies in its folder. `cases` is empty for the test split: its texts are not for reading."""

    folder: Path
    info: RunInfo
    cases: tuple[Case, ...]
    records: tuple[CaseRecord, ...]


SYNC_EVERY_S = 0.05
"""Between two fsyncs. A turn takes longer as a rule: then each record gets its own."""


class RecordFile:
    """Appends records; one that `append` returned from outlives the process, and the machine too once synced.

    A crash of the machine costs at most the records since the last fsync, which `--resume` asks again. Opening the
    file again cuts off what a crash left of an unfinished line.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        self._file = self._path.open("ab")
        whole = self._path.read_bytes().rfind(b"\n") + 1
        self._file.truncate(whole)
        self._synced = 0.0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.fsync(self._file.fileno())
        self._file.close()

    def append(self, record: CaseRecord) -> None:
        """Hand one line to the system, and through to the disk where the last time is long enough ago."""
        self._file.write(_RECORD.dump_json(record) + b"\n")
        self._file.flush()
        if time.monotonic() - self._synced >= SYNC_EVERY_S:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()


def read_records(path: Path) -> list[CaseRecord]:
    """All whole records of a run; a last line without an end is what a crash left, and is passed over.

    Raises:
        RunDamaged: The file cannot be read, or another line is not a record.
    """
    try:
        content = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
    except (OSError, lzma.LZMAError) as error:
        raise RunDamaged(f"{path} cannot be read: {error}") from None
    records = []
    for number, line in enumerate(content.rpartition(b"\n")[0].splitlines(), start=1):
        try:
            records.append(_RECORD.validate_json(line))
        except ValidationError as error:
            raise RunDamaged(f"{path}:{number} is not a record: {error.errors()[0]['msg']}") from None
    return records


def write_run(path: Path, info: RunInfo) -> None:
    """Write run.json whole or not at all."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        file.write(_RUN.dump_json(info, indent=2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
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


def load_run(folder: Path) -> Run:
    """Read a run with its cases and records, from a run's folder or from an accepted baseline.

    Raises:
        RunDamaged: A file of it is missing or cannot be read.
    """
    packed = folder / "records.jsonl.xz"
    records = read_records(packed if packed.is_file() else folder / "records.jsonl")
    cases = load_cases(folder / "cases.jsonl") if (folder / "cases.jsonl").is_file() else []
    return Run(folder, read_run(folder / "run.json"), tuple(cases), tuple(records))


def pack_records(records: Sequence[CaseRecord]) -> bytes:
    """Records as an accepted baseline keeps them: compressed, since passages repeat from case to case."""
    return lzma.compress(b"".join(_RECORD.dump_json(record) + b"\n" for record in records), preset=9)


def run_json(info: RunInfo) -> str:
    """A run as JSON for machines."""
    return _RUN.dump_json(info, indent=2).decode()
