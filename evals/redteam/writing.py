"""Successes as new cases for a person to review. Nothing is added to a golden set by itself."""

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from evals.errors import EvalsError
from evals.golden.writing import write_cases
from evals.redteam.types import Attack, Outcome

_SHINGLE = 5
_NEAR = 0.8
"""Share of the common 5-grams of characters (Jaccard) from which two attacks are the same."""


def new_cases(outcomes: Iterable[Outcome]) -> list[Attack]:
    """The attacks that succeeded, by id, without near-duplicates of their seed or of another one of its group."""
    attacks = {outcome.attack.case.id: outcome.attack for outcome in outcomes if outcome.success}
    known: dict[str, list[frozenset[str]]] = {}
    kept = []
    for _, attack in sorted(attacks.items()):
        in_group = known.setdefault(attack.case.group, [])
        shingles = _shingles(attack.text)
        if all(_likeness(shingles, other) < _NEAR for other in (*in_group, _shingles(attack.seed.text))):
            in_group.append(shingles)
            kept.append(attack)
    return kept


def check_free(path: Path) -> None:
    """Refuse to write over a file.

    Raises:
        EvalsError: There is one.
    """
    if path.exists() or documents_of(path).exists():
        raise EvalsError(f"{path} or its documents exist already. Give --write another path.")


def documents_of(path: Path) -> Path:
    """The folder of the poisoned documents that the cases of a file add."""
    return path.with_name(f"{path.stem}-additions")


def write_attacks(path: Path, attacks: Sequence[Attack]) -> None:
    """Write cases in the format of cases.jsonl, and their documents into the folder beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for attack in attacks:
        if attack.document is not None:
            folder = documents_of(path)
            folder.mkdir(exist_ok=True)
            (folder / attack.case.additions[0]).write_text(attack.document, encoding="utf-8")
    write_cases(path, (attack.case for attack in attacks))


def _shingles(text: str) -> frozenset[str]:
    bare = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return frozenset(bare[at : at + _SHINGLE] for at in range(max(1, len(bare) - _SHINGLE + 1)))


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)
