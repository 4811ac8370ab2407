"""Who did what to which case, and why: reviews.jsonl in the folder of a golden set, a hash chain only appended to.

An entry that is edited, removed or swapped breaks the chain. Entries cut off at the end are not found here: only the
repository's history shows that.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from evals.errors import LedgerDamaged
from evals.golden.cases import Case
from evals.review.types import Cause

NAME = "reviews.jsonl"
START = "0" * 64
"""What the first entry names as the hash of the one before it."""

Action = Literal["label", "fix", "retire", "promote"]


class Entry(BaseModel):
    """One act of one reviewer. `before` and `after` are the hashes of the case; equal where only a label was given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    n: int = Field(1, ge=1)
    when: AwareDatetime
    who: str = Field(min_length=1)
    action: Action
    case_id: str
    before: str | None = Field(None, description="None for a case that is new.")
    after: str
    run: str | None = Field(None, description="The run that was reviewed.")
    cause: Cause | None = None
    note: str = ""
    turn_id: str | None = Field(None, description="The production turn that the case came from.")
    case: Case | None = Field(None, description="The case as it is now, where the act changed it.")
    previous: str = START
    sha256: str = ""

    def line(self) -> bytes:
        """As the file holds it; there is one way to write an entry."""
        return json.dumps(self._stated(), ensure_ascii=False).encode() + b"\n"

    def sealed(self, n: int, previous: str) -> "Entry":
        """The entry in its place in the chain, with its hash over all else that it says."""
        placed = self.model_copy(update={"n": n, "previous": previous, "sha256": ""})
        said = json.dumps(placed._stated(), ensure_ascii=False)
        return placed.model_copy(update={"sha256": hashlib.sha256(said.encode()).hexdigest()})

    def _stated(self) -> dict[str, Any]:
        stated = self.model_dump(mode="json", exclude_none=True)
        if self.case is not None:
            stated["case"] = self.case.model_dump(mode="json", exclude_defaults=True)
        return stated


def act(who: str, action: Action, before: Case | None, after: Case, **more: Any) -> Entry:
    """An entry that is not in a chain yet. The case itself is kept in it where it changed."""
    changed = before is None or before.sha256 != after.sha256
    return Entry(
        when=datetime.now(UTC),
        who=who,
        action=action,
        case_id=after.id,
        before=before.sha256 if before else None,
        after=after.sha256,
        case=after if changed else None,
        **more,
    )


def read_entries(folder: Path) -> list[Entry]:
    """All entries of a golden set, oldest first. What a crash left of an unfinished last line is passed over.

    Raises:
        LedgerDamaged: The chain does not hold; the message names the line.
    """
    path = folder / NAME
    if not path.is_file():
        return []
    entries: list[Entry] = []
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], start=1):
        try:
            entry = Entry.model_validate_json(line)
        except ValidationError:
            raise _damaged(path, number, "is not an entry") from None
        previous = entries[-1].sha256 if entries else START
        if entry.n != number or entry.previous != previous:
            raise _damaged(path, number, "does not follow the one before it")
        if entry.sealed(number, previous).sha256 != entry.sha256 or entry.line() != line + b"\n":
            raise _damaged(path, number, "is not as it was written")
        entries.append(entry)
    return entries


def append(folder: Path, entry: Entry, known: Sequence[Entry]) -> Entry:
    """Write an entry through to the disk, and return it as it stands in the chain. Only under the set's lock.

    Args:
        folder: Of the golden set.
        entry: To add.
        known: All entries so far.
    """
    sealed = entry.sealed(len(known) + 1, known[-1].sha256 if known else START)
    path = folder / NAME
    with path.open("ab") as file:
        file.truncate(path.read_bytes().rfind(b"\n") + 1)
        file.write(sealed.line())
        file.flush()
        os.fsync(file.fileno())
    return sealed


def _damaged(path: Path, number: int, how: str) -> LedgerDamaged:
    return LedgerDamaged(f"{path}: line {number} {how}. Restore it from the repository's history.")
