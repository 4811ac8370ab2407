"""Changes of a golden set: the case, the card and the audit trail together, whatever happens in between.

A change is first written down whole in a journal, then carried out, then the journal is removed. Whoever opens the set
next finishes what a crash interrupted.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from evals.errors import GoldenSetError, LedgerDamaged
from evals.golden.cards import read_card
from evals.golden.cases import Case, load_cases
from evals.golden.writing import case_line, fix_card, replace_file
from evals.review.audit import Entry, append, read_entries

JOURNAL = ".review-unfinished.json"


def record(folder: Path, entry: Entry) -> Entry:
    """Append an act to the audit trail of a golden set and, where it changes a case or adds one, carry it out.

    All other lines of cases.jsonl stay as they are, to the byte.

    Raises:
        GoldenSetError: The case has changed since it was read, its id is taken, or the set's files are wrong. Nothing
            was written.
        LedgerDamaged: The audit trail was tampered with. Nothing was written.
    """
    with _locked(folder):
        _finish(folder)
        known = read_entries(folder)
        if entry.case is None:
            return append(folder, entry, known)
        read_card(folder / "card.md")  # what is wrong with it should be known before anything is written
        now = {case.id: case.sha256 for case in load_cases(folder / "cases.jsonl")}.get(entry.case_id)
        if now != entry.before:
            raise GoldenSetError(
                f"Case {entry.case_id} was changed by someone else in the meantime: look at it again."
                if entry.before
                else f"There is a case {entry.case_id} already."
            )
        sealed = entry.sealed(len(known) + 1, known[-1].sha256 if known else entry.previous)
        replace_file(folder / JOURNAL, sealed.line())
        return _carry_out(folder, sealed)


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Hold the set while its files are changed otherwise; what a crash interrupted is finished first.

    Raises:
        LedgerDamaged: The journal or the audit trail cannot be read.
    """
    with _locked(folder):
        _finish(folder)
        yield


def recover(folder: Path) -> None:
    """Finish a change that a crash interrupted.

    Raises:
        LedgerDamaged: The journal or the audit trail cannot be read.
    """
    with _locked(folder):
        _finish(folder)


def _finish(folder: Path) -> None:
    path = folder / JOURNAL
    if not path.is_file():
        return
    try:
        entry = Entry.model_validate_json(path.read_bytes())
    except ValidationError:
        raise LedgerDamaged(f"{path} is no journal of a review: remove it, and see git diff.") from None
    _carry_out(folder, entry)


def _carry_out(folder: Path, entry: Entry) -> Entry:
    known = read_entries(folder)
    if not known or known[-1].sha256 != entry.sha256:
        append(folder, entry, known)
    if entry.case is not None:
        path = folder / "cases.jsonl"
        replace_file(path, _with(path.read_bytes(), entry.case))
    try:
        fix_card(folder)
    finally:
        (folder / JOURNAL).unlink(missing_ok=True)
    return entry


def _with(data: bytes, case: Case) -> bytes:
    """The lines of a cases.jsonl with one case in the place of the one with its id, or at the end."""
    lines = data.split(b"\n")
    new = case_line(case).encode()
    for number, line in enumerate(lines):
        if line.strip() and json.loads(line).get("id") == case.id:
            return b"\n".join([*lines[:number], new, *lines[number + 1 :]])
    return data + (b"" if not data or data.endswith(b"\n") else b"\n") + new + b"\n"


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Nobody else changes the set meanwhile. The folder itself is locked: no file is left behind."""
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)
