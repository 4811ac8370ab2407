"""Golden cases and training examples that tell of something erased go, and the audit trail keeps no word of them."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.errors import EvalsError, GoldenSetError
from evals.golden.writing import fix_card, replace_file
from evals.review.audit import NAME, START, read_entries
from evals.review.edits import changing
from retrieval.erasure import Holdings
from retrieval.folding import fold

Tells = Callable[[str], bool]
MAX_BYTES = 50_000_000
"""Of one file that is looked at."""


@dataclass(frozen=True, slots=True)
class GoldenSets:
    """The golden sets in some folders: each a set itself, or a folder of sets."""

    folders: Sequence[Path]

    @property
    def name(self) -> str:
        """What the receipt calls them."""
        return "golden sets"

    def sweep(self, gone: Holdings, tells: Tells, *, dry: bool) -> tuple[Counter[str], list[str]]:
        """Remove cases that name an erased document's passages or hold its words; cards and audit trails follow.

        Raises:
            GoldenSetError: A folder holds no golden set, or its card cannot be read.
            LedgerDamaged: An audit trail was tampered with.
        """
        texts: dict[str, list[str]] = {}
        for held in gone.versions:
            texts.setdefault(held.uri, []).append(fold(held.text))
        done: Counter[str] = Counter()
        files: list[str] = []
        for folder in self._sets():
            with changing(folder):
                path = folder / "cases.jsonl"
                kept, removed = _split(path, lambda line: tells(line) or _cites(line, texts))
                done["golden cases"] += len(removed)
                entries = _redacted(folder, removed, tells)
                done["review entries"] += entries[1]
                files += [str(path)] * bool(removed) + [str(folder / NAME)] * bool(entries[1])
                if removed and not dry:
                    replace_file(path, b"".join(kept))
                    fix_card(folder)
                if entries[1] and not dry:
                    replace_file(folder / NAME, entries[0])
        return done, files

    def left(self, tells: Tells) -> list[str]:
        """Documents, cards and other files of the sets that still tell of it; only plain text is looked at."""
        return [
            str(path)
            for folder in self._sets()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
            and path.stat().st_size <= MAX_BYTES
            and tells(path.read_bytes().decode("utf-8", "ignore"))
        ]

    def _sets(self) -> Iterator[Path]:
        for folder in self.folders:
            sets = [folder] if (folder / "cases.jsonl").is_file() else [p.parent for p in folder.glob("*/cases.jsonl")]
            if not sets:
                raise GoldenSetError(f"There is no golden set in {folder}/.")
            yield from sorted(sets)


@dataclass(frozen=True, slots=True)
class TrainingFiles:
    """Files of one JSON object a line that models are tuned on."""

    files: Sequence[Path]

    @property
    def name(self) -> str:
        """What the receipt calls them."""
        return "training files"

    def sweep(self, gone: Holdings, tells: Tells, *, dry: bool) -> tuple[Counter[str], list[str]]:
        """Remove the lines that tell of it; the others stay as they are, to the byte.

        Raises:
            EvalsError: A file cannot be read.
        """
        done: Counter[str] = Counter()
        changed: list[str] = []
        for path in self.files:
            kept, removed = _split(path, tells)
            done["training examples"] += len(removed)
            if removed:
                changed.append(str(path))
                if not dry:
                    replace_file(path, b"".join(kept))
        return done, changed

    def left(self, tells: Tells) -> list[str]:
        """None: whatever tells of it went."""
        return []


def _split(path: Path, goes: Callable[[str], bool]) -> tuple[list[bytes], list[str]]:
    """The lines that stay, with their ends, and those that go."""
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise EvalsError(f"{path} cannot be read: {error.strerror}.") from None
    kept, removed = [], []
    for line in lines:
        text = line.decode("utf-8", "replace")
        if goes(text):
            removed.append(text)
        else:
            kept.append(line)
    return kept, removed


def _cites(line: str, texts: dict[str, list[str]]) -> bool:
    """Whether a case's gold quotes an erased document."""
    case = _object(line)
    gold = case.get("gold")
    evidence = gold.get("evidence", []) if isinstance(gold, dict) else []
    return any(
        fold(str(quote.get("quote", ""))) in text
        for quote in evidence
        if isinstance(quote, dict)
        for text in texts.get(str(quote.get("uri")), ())
    )


def _redacted(folder: Path, removed: Sequence[str], tells: Tells) -> tuple[bytes, int]:
    """The audit trail without the words of removed cases, as a new chain, and how many of its entries changed."""
    gone = {str(_object(line).get("id")) for line in removed}
    lines, count, previous = [], 0, START
    for number, entry in enumerate(read_entries(folder), start=1):
        wordy = entry.case is not None or entry.note
        if wordy and (entry.case_id in gone or tells(entry.line().decode())):
            count += 1
            entry = entry.model_copy(update={"case": None, "note": "[erased]"})  # noqa: PLW2901
        sealed = entry.sealed(number, previous)
        lines.append(sealed.line())
        previous = sealed.sha256
    return b"".join(lines), count


def _object(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
