"""The port behind which every source of documents stands, and the bounds that hold for all of them."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from retrieval.config import SourceLimits
from retrieval.types import UNLABELLED, Labels

Progress = Callable[[str, int, int], None]
"""Called with (step, done, total) as work goes on."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to ingest, known as `uri` within `source`: a folder, a file, or where a remote source was found.

    `failure` says why a document that the source names could not be had: it is quarantined, an old version stays.
    """

    uri: str
    path: Path
    source: str
    labels: Labels = UNLABELLED
    failure: str = ""
    labels_fault: str = ""
    """Why the labels could not be read: such a file becomes no document, for nobody knows who may see it."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a source holds. `prunable` names the sources of which all that is there was seen, bounds and errors aside.

    `notes` say, for people, what was passed over.
    """

    files: tuple[SourceFile, ...]
    prunable: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


class Source(Protocol):
    """A place that documents are read from."""

    def fetch(self, staging: Path, budget: "Budget", progress: Progress) -> Listing:
        """List the source, its files copied into the empty folder `staging` where they do not lie on this machine.

        Raises:
            SourceFailed: The source as a whole cannot be read; what it held before must stay.
        """
        ...


@dataclass(slots=True)
class Budget:
    """What one source may still take: documents, bytes and time."""

    limits: SourceLimits
    max_file_bytes: int
    files: int = 0
    bytes: int = 0
    deadline: float = field(init=False)

    def __post_init__(self) -> None:
        self.deadline = time.monotonic() + self.limits.timeout_s

    @property
    def seconds_left(self) -> float:
        """Seconds until the source must stop; never below zero."""
        return max(0.0, self.deadline - time.monotonic())

    @property
    def bytes_left(self) -> int:
        """Bytes that may still come in; never below zero."""
        return max(0, self.limits.max_bytes - self.bytes)

    def spend(self, size: int) -> None:
        """Count a document of `size` bytes."""
        self.files += 1
        self.bytes += size

    def exhausted(self, size: int = 0) -> str:
        """Which bound another document of `size` bytes would break, or "" where none."""
        if self.files >= self.limits.max_files:
            return f"stopped at max_files, {self.limits.max_files:,} documents"
        if size > self.bytes_left:
            return f"stopped at max_bytes, {self.limits.max_bytes:,} bytes"
        if not self.seconds_left:
            return f"stopped at timeout_s, {self.limits.timeout_s:g} seconds"
        return ""


def origin(source: str) -> str:
    """A source without the commit that it was read at: what stays the same from one ingest to the next."""
    return _COMMIT.sub("", source) if source.startswith("git+") else source


def printable(text: str, limit: int = 300) -> str:
    """Text of another program or machine, safe for a terminal and a log."""
    return " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * limit]).split())[:limit]


_COMMIT = re.compile(r"@(?:[0-9a-f]{64}|[0-9a-f]{40})(?=#|$)")
