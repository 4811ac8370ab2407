"""Cases that are not finished: promoted from production, they lack a person's answer. Kept in the home."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evals.errors import GoldenSetError
from evals.golden.cases import Action, Kind, Quote, Severity
from evals.golden.writing import replace_file


class Draft(BaseModel):
    """What a case will be made of. `answers` are empty, and `evidence` is what production cited: a suggestion."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    group: str
    created: date
    kind: Kind
    severity: Severity = "major"
    slices: tuple[str, ...] = ()
    question: str = Field(min_length=1)
    action: Action
    answers: tuple[str, ...] = ()
    evidence: tuple[Quote, ...] = ()
    turn_id: str
    said: str = Field("", description="What production answered, scrubbed.")
    note: str = Field("", description="What the user wrote with the rating, scrubbed.")
    discarded: bool = Field(False, description="Nobody wants it; it stays, so that it is not promoted again.")

    def stated(self) -> dict[str, Any]:
        """As a case would be stated; it need not be a valid one yet."""
        gold = {
            "action": self.action,
            "answers": list(self.answers),
            "evidence": [q.model_dump() for q in self.evidence],
        }
        case = self.model_dump(
            mode="json", include={"id", "group", "created", "kind", "severity", "slices", "question"}
        )
        return {**case, "split": "dev", "gold": gold}


class DraftBox:
    """The drafts of one golden set."""

    def __init__(self, home: Path, set_name: str) -> None:
        self.path = home / "promoted" / f"{set_name}.jsonl"

    def all(self) -> list[Draft]:
        """Every draft, oldest first.

        Raises:
            GoldenSetError: A line of the file is no draft.
        """
        if not self.path.is_file():
            return []
        drafts = []
        for number, line in enumerate(self.path.read_text("utf-8").split("\n"), start=1):
            if line.strip():
                try:
                    drafts.append(Draft.model_validate_json(line))
                except ValidationError as error:
                    where = ".".join(map(str, error.errors()[0]["loc"]))
                    raise GoldenSetError(f"{self.path}:{number}: {where}: {error.errors()[0]['msg']}") from None
        return drafts

    def get(self, name: str) -> Draft | None:
        """A draft by its id."""
        return next((draft for draft in self.all() if draft.id == name), None)

    def add(self, drafts: Sequence[Draft]) -> None:
        """Keep drafts; one of the same id takes the place of the old one."""
        with self._locked():
            kept = {draft.id: draft for draft in (*self.all(), *drafts)}
            self._write(list(kept.values()))

    def remove(self, name: str) -> None:
        """Forget a draft."""
        with self._locked():
            self._write([draft for draft in self.all() if draft.id != name])

    def _write(self, drafts: Sequence[Draft]) -> None:
        lines = "".join(draft.model_dump_json(exclude_defaults=True) + "\n" for draft in drafts)
        replace_file(self.path, lines.encode())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        held = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield
        finally:
            os.close(held)
