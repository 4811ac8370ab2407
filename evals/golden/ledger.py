"""The ledger of the locked test split: who looked at it, when, why, and what came out.

`ledger.jsonl` in the folder of a golden set is a hash chain that is only ever appended to; `ledger.head` beside it says
how many entries there are and how the last one hashes. Both are committed with the set. An entry that is edited,
removed, swapped or added breaks the chain; entries cut off at the end disagree with the head. Whoever rewrites both
files consistently, or removes both, is not found here: only the repository's history shows that.

What a crash leaves is told from tampering, and mended by the next look: a last line without its end that the head never
counted, and a head that is one whole entry behind. A look without a result is no damage: the run broke off after it had
read the test split, and the look counts. So does a run that is resumed.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from evals.errors import GoldenSetError, LedgerDamaged, LockedError
from evals.golden.chain import START, Entry, Head, examine, read_head
from evals.golden.sets import GoldenSet, load_golden_set
from evals.golden.writing import replace_file

NAME = "ledger.jsonl"
SHORTEST_REASON = 10


@dataclass(frozen=True, slots=True)
class LookRequest:
    """Who wants to look at the test split, and why. `release` is the id of what is to be measured."""

    who: str
    reason: str
    commit: str
    release: str
    suite: str
    run: str = ""
    """Id of the run, where it is known already."""


@dataclass(frozen=True, slots=True)
class Look:
    """Leave to read the test split once: of one set, or of all sets of a suite."""

    number: int
    before: int
    """Looks taken before this one; over several sets, of the set that was looked at most."""
    budget: int
    taken: tuple[tuple["Ledger", Entry], ...]

    def close(self, verdict: str, run: str = "") -> None:
        """Append what came out, to the ledger of each set.

        Raises:
            LedgerDamaged: A ledger was tampered with since.
        """
        for ledger, entry in self.taken:
            ledger.close(entry, verdict, run)


class Ledger:
    """The ledger of one golden set. Two runs never get the same look: each append is made under a lock."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def head(self) -> Path:
        """The file that says how many entries there are."""
        return self.path.with_name("ledger.head")

    def entries(self) -> list[Entry]:
        """All entries.

        Raises:
            LedgerDamaged: The chain does not hold.
        """
        return _sound(self.path, *_read(self.path))

    def look(self, request: LookRequest, golden_sha256: str, budget: int) -> Look:
        """Take a look from the budget. When it returns, the look is on the disk.

        Raises:
            LockedError: The reason says nothing, nobody is named, or the budget is used up.
            LedgerDamaged: The chain does not hold; no look is taken.
        """
        request = _checked(request)
        with self._locked() as (file, entries):
            looks = [entry for entry in entries if entry.kind == "look"]
            _within(self.path, len(looks), budget)
            entry = Entry(
                n=len(entries) + 1,
                kind="look",
                look=len(looks) + 1,
                when=datetime.now(UTC),
                who=request.who,
                commit=request.commit,
                release=request.release,
                suite=request.suite,
                reason=request.reason,
                golden_sha256=golden_sha256,
                run=request.run,
                previous=entries[-1].sha256 if entries else START,
            ).sealed()
            self._append(file, entry)
        return Look(entry.look, len(looks), budget, ((self, entry),))

    def close(self, look: Entry, verdict: str, run: str = "") -> None:
        """Append the result of a look; the look itself stays as it was written.

        Raises:
            LedgerDamaged: The chain does not hold, the look is not in it, or it has a result already.
        """
        with self._locked() as (file, entries):
            if look not in entries or any(one.kind == "result" and one.look == look.look for one in entries):
                raise LedgerDamaged(f"{self.path} has no open look {look.look}: its result cannot be added.")
            changes = {"n": len(entries) + 1, "kind": "result", "when": datetime.now(UTC), "result": _clean(verdict),
                       "run": _clean(run) or look.run, "previous": entries[-1].sha256}  # fmt: skip
            self._append(file, look.model_copy(update=changes).sealed())

    def _append(self, file: BinaryIO, entry: Entry) -> None:
        file.write(entry.line())
        file.flush()
        os.fsync(file.fileno())
        self._write_head(entry)

    def _write_head(self, last: Entry) -> None:
        head = Head(count=last.n, sha256=last.sha256)
        replace_file(self.head, head.model_dump_json().encode() + b"\n")

    @contextmanager
    def _locked(self) -> Iterator[tuple[BinaryIO, list[Entry]]]:
        """The file, open for appending by nobody else, and its entries; what a crash left is mended."""
        with self.path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            data, head = file.read(), read_head(self.head)
            entries = _sound(self.path, data, head)
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                file.truncate(whole)
            if len(entries) > (head.count if head else 0):
                self._write_head(entries[-1])
            yield file, entries


def unlock(root: Path, names: Sequence[str], request: LookRequest) -> tuple[list[GoldenSet], Look]:
    """Take a look in the ledger of each set, then read the test splits. The only way to them.

    Sets whose card counts no test case are left as they are, without cases and without a look.

    Raises:
        LockedError: The reason says nothing, a budget is used up, or there is no test split; no look is taken.
        LedgerDamaged: A ledger was tampered with; no look is taken.
        GoldenSetError: A set cannot be read, or is not as its card states it; no look is taken.
    """
    request = _checked(request)
    sets = [load_golden_set(root, name) for name in names]  # dev: for the cards
    locked = [golden for golden in sets if golden.card.splits.get("test")]
    if not locked:
        raise LockedError(f"There is no test split in {', '.join(names)}: no case of them is 'test', says the card.")
    for golden in locked:  # all of them before the first look: a refusal should cost nothing
        if golden.card.sha256 != golden.sha256:
            raise GoldenSetError(f"The card of '{golden.name}' is not that of its cases: evals validate {golden.name}")
        ledger = _ledger(golden)
        _within(ledger.path, sum(entry.kind == "look" for entry in ledger.entries()), golden.card.looks)
    looks = {golden.name: _ledger(golden).look(request, golden.sha256, golden.card.looks) for golden in locked}
    read = [
        load_golden_set(root, golden.name, "test") if golden.name in looks else replace(golden, cases=())
        for golden in sets
    ]
    most = max(looks.values(), key=lambda look: look.before)
    budget = max(look.budget for look in looks.values())
    return read, Look(most.number, most.before, budget, tuple(one for look in looks.values() for one in look.taken))


def verify(path: Path) -> list[str]:
    """What is wrong with a ledger, one line each; nothing where it holds, or was never begun. Changes nothing."""
    return examine_file(path)[1]


def examine_file(path: Path) -> tuple[list[Entry], list[str]]:
    """The entries up to the first that is wrong, and what is wrong. Changes nothing."""
    return examine(*_read(path))


def _ledger(golden: GoldenSet) -> Ledger:
    return Ledger(golden.folder / NAME)


def _checked(request: LookRequest) -> LookRequest:
    clean = LookRequest(*(_clean(getattr(request, name)) for name in LookRequest.__slots__))
    if len(clean.reason) < SHORTEST_REASON:
        raise LockedError(f"The test split is locked: say in {SHORTEST_REASON} characters or more why you look.")
    if not clean.who:
        raise LockedError("The test split is locked: the ledger needs a name. Set git's user.name.")
    return clean


def _clean(text: str) -> str:
    """One line that can be written as UTF-8, without characters that steer a terminal."""
    text = text.encode(errors="replace").decode()
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def _within(path: Path, used: int, budget: int) -> None:
    if used >= budget:
        raise LockedError(
            f"The test split of '{path.parent.name}' was looked at {used} times, all that its card allows ({budget}): "
            "write new test cases, or raise `looks` in the card, on record."
        )


def _read(path: Path) -> tuple[bytes, Head | None]:
    head = path.with_name("ledger.head")
    if not path.exists():
        return b"", read_head(head)
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)  # between an append and its head there is nothing to see
        return file.read(), read_head(head)


def _sound(path: Path, data: bytes, head: Head | None) -> list[Entry]:
    entries, wrong = examine(data, head)
    if wrong:
        raise LedgerDamaged(f"{path}: {wrong[0]}. Restore both from the repository's history.")
    return entries
