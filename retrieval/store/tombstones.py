"""What was erased and must not come back. Nothing here can be read without the key of this home."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, delete, insert, select

from retrieval.errors import KeyLost
from retrieval.folding import fold, readings
from retrieval.store.tables import tombstones

DOCUMENT, BYTES, SUBJECT, KEY = "document", "bytes", "subject", "key"
"""The last says nothing of an erasure: its mark tells whether the key is the one that the others were made with."""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """One thing that may not come back: into one corpus, or, where `corpus` is empty, into any."""

    receipt: str
    kind: str
    corpus: str
    mark: str
    length: int = 0


class Tombstones:
    """Keeps tombstones and says whether something is under one."""

    def __init__(self, engine: Engine, key: Callable[[], bytes]) -> None:
        """`key` gives the home's own key: 32 bytes that no one else has. It is asked for only when needed."""
        self._engine = engine
        self._writes = engine.execution_options(write=True)
        self._key = key

    def of_bytes(self, receipt: str, corpus: str, sha256: str) -> Tombstone:
        """A tombstone for a file's bytes."""
        return Tombstone(receipt, BYTES, corpus, self._mark(sha256))

    def of_subject(self, receipt: str, corpus: str, value: str) -> Tombstone:
        """A tombstone for every text that contains a value."""
        folded = fold(value)
        return Tombstone(receipt, SUBJECT, corpus, self._mark(folded), len(folded))

    def add(self, stones: Collection[Tombstone]) -> None:
        """Keep tombstones; those that are there already stay as they are."""
        columns = (tombstones.c.kind, tombstones.c.corpus, tombstones.c.mark)
        with self._writes.begin() as db:
            known = {tuple(row) for row in db.execute(select(*columns))}
            wanted = [*stones, *([Tombstone("", KEY, "", self._mark(KEY))] if any(map(_hashed, stones)) else ())]
            new = [stone for stone in wanted if (stone.kind, stone.corpus, stone.mark) not in known]
            if new:
                db.execute(insert(tombstones), [_row(stone) for stone in new])

    def lift(self, receipt: str) -> int:
        """Allow again what a receipt forbids. Returns how many tombstones went."""
        with self._writes.begin() as db:
            return db.execute(delete(tombstones).where(tombstones.c.receipt == receipt)).rowcount

    def all(self) -> list[Tombstone]:
        """Every tombstone."""
        return [stone for stone in self._rows() if stone.kind != KEY]

    def _rows(self) -> list[Tombstone]:
        with self._engine.connect() as db:
            rows = db.execute(select(tombstones).order_by(tombstones.c.id))
            return [Tombstone(row.receipt, row.kind, row.corpus, row.mark, row.length) for row in rows]

    def watch(self, corpus: str) -> "Watch":
        """What may not come into a corpus, as of now.

        Raises:
            KeyLost: The tombstones were made with another key, so that nothing would be told by them.
        """
        rows = self._rows()
        checks = [row.mark for row in rows if row.kind == KEY]
        if checks and any(map(_hashed, rows)) and self._mark(KEY) not in checks:
            raise KeyLost
        stones = [row for row in rows if row.kind != KEY and row.corpus in ("", corpus)]
        return Watch(stones, self._mark)

    def _mark(self, said: str) -> str:
        return hashlib.blake2b(said.encode("utf-8", "surrogatepass"), key=self._key(), digest_size=32).hexdigest()


class Watch:
    """The tombstones that count for one corpus."""

    def __init__(self, stones: Sequence[Tombstone], mark: Callable[[str], str]) -> None:
        self._mark = mark
        self._documents = {stone.mark: stone.receipt for stone in stones if stone.kind == DOCUMENT}
        self._bytes = {stone.mark: stone.receipt for stone in stones if stone.kind == BYTES}
        self._subjects: dict[int, dict[str, str]] = {}
        for stone in stones:
            if stone.kind == SUBJECT:
                self._subjects.setdefault(stone.length, {})[stone.mark] = stone.receipt

    def document(self, doc_id: str, sha256: str) -> str:
        """The receipt under which a document, or a file of these bytes, was erased; "" for none."""
        if doc_id in self._documents:
            return self._documents[doc_id]
        return self._bytes.get(self._mark(sha256), "") if self._bytes else ""

    def text(self, *said: str) -> str:
        """The receipt of a subject that one of the texts contains; "" for none.

        A keyed hash cannot be searched for, so every stretch of a subject's length is hashed: 1 to 2 microseconds a
        character and distinct length.
        """
        if not self._subjects:
            return ""
        for folded in (reading for text in said for reading in readings(text)):
            for length, marks in self._subjects.items():
                if found := self._within(folded, length, marks):
                    return found
        return ""

    def _within(self, folded: str, length: int, marks: Mapping[str, str]) -> str:
        seen: set[str] = set()
        for start in range(len(folded) - length + 1):
            stretch = folded[start : start + length]
            if stretch[0] == " " or stretch[-1] == " " or stretch in seen:  # no folded subject begins or ends so
                continue
            if len(seen) < _SEEN:
                seen.add(stretch)
            if receipt := marks.get(self._mark(stretch)):
                return receipt
        return ""


_SEEN = 100_000
"""Stretches of a text that are remembered, so that what repeats is hashed once."""


def _hashed(stone: Tombstone) -> bool:
    return stone.kind in (BYTES, SUBJECT)


def _row(stone: Tombstone) -> dict[str, object]:
    return {
        "receipt": stone.receipt,
        "kind": stone.kind,
        "corpus": stone.corpus,
        "mark": stone.mark,
        "length": stone.length,
    }
