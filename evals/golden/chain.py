"""The lines of a ledger, how each one hangs on the one before it, and how to tell when one does not."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

START = "0" * 64
"""What the first entry names as the hash of the one before it."""


class Entry(BaseModel):
    """A line of the ledger. A result repeats the facts of its look: each line can be read by itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    n: int = Field(ge=1)
    kind: Literal["look", "result"]
    look: int = Field(ge=1, description="Which look it is, from 1; a result bears the number of its look.")
    when: datetime
    who: str
    commit: str
    release: str
    suite: str
    reason: str
    golden_sha256: str
    run: str
    result: str | None = None
    previous: str
    sha256: str = ""

    def line(self) -> bytes:
        """As the file holds it; there is one way to write an entry."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False).encode() + b"\n"

    def sealed(self) -> "Entry":
        """The entry with its hash, over all else that it says."""
        said = json.dumps(self.model_dump(mode="json", exclude={"sha256"}), ensure_ascii=False)
        return self.model_copy(update={"sha256": hashlib.sha256(said.encode()).hexdigest()})


class Head(BaseModel):
    """How many entries there are, and the hash of the last."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    count: int
    sha256: str


def read_head(path: Path) -> Head | None:
    """The head, None where there is none yet; one that cannot be read disagrees with every ledger."""
    try:
        return Head.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError:
        return Head(count=-1, sha256="")


def examine(data: bytes, head: Head | None) -> tuple[list[Entry], list[str]]:
    """Read a ledger.

    Args:
        data: The bytes of the file.
        head: What stands beside it.

    Returns:
        The entries up to the first that is wrong, and what is wrong, one line each. What a crash leaves is not wrong: a
        last line without its end that the head never counted, or one whole entry more than the head counts.
    """
    *lines, torn = data.split(b"\n")
    entries: list[Entry] = []
    for number, line in enumerate(lines, start=1):
        try:
            entry = Entry.model_validate_json(line)
        except ValidationError:
            return entries, [f"line {number} is not an entry"]
        if wrong := _broken(entry, line, entries):
            return entries, [f"line {number} {wrong}"]
        entries.append(entry)
    count = head.count if head else 0
    if len(entries) not in (count, count + 1) or (torn and len(entries) != count):
        return entries, [f"there are {len(entries)} entries, and ledger.head counts {max(count, 0)}"]
    if head and (entries[count - 1].sha256 if count else START) != head.sha256:
        return entries, [f"entry {count} is not the one that ledger.head names"]
    return entries, []


def _broken(entry: Entry, line: bytes, before: Sequence[Entry]) -> str | None:
    """How an entry does not fit those before it."""
    open_looks = {one.look for one in before if one.kind == "look"} - {
        one.look for one in before if one.kind == "result"
    }
    looks = sum(one.kind == "look" for one in before)
    if entry.n != len(before) + 1 or entry.previous != (before[-1].sha256 if before else START):
        return "does not follow the one before it"
    if entry.sealed().sha256 != entry.sha256 or entry.line() != line + b"\n":
        return "is not as it was written"
    if entry.look != looks + 1 if entry.kind == "look" else entry.look not in open_looks:
        return "counts the looks wrong"
    return None
