"""Golden sets: a folder with card.md, cases.jsonl and the documents that the cases ask about."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from evals.errors import GoldenSetError
from evals.golden.cards import Card, read_card
from evals.golden.cases import Case, Split, cases_hash, load_cases


@dataclass(frozen=True, slots=True)
class GoldenSet:
    """A golden set as it was read: the cases of one split only, unless it is being checked."""

    name: str
    folder: Path
    cases: tuple[Case, ...]
    sha256: str
    card: Card

    @property
    def documents(self) -> tuple[Path, ...]:
        """The folders of its documents: its own, those of the sets that its card names, what its cases add."""
        named = [self.folder.parent / name / "corpus" for name in self.card.corpus or (self.name,)]
        additions = self.folder / "additions"
        return (*named, additions) if additions.is_dir() else tuple(named)

    @property
    def corpus(self) -> str:
        """The name of the corpus that its documents are ingested into."""
        return f"golden-{self.name}"


def load_golden_set(root: Path, name: str, split: Split | None = "dev") -> GoldenSet:
    """Read a golden set.

    Args:
        root: The folder that holds the golden sets.
        name: Of the set's folder.
        split: The only split to read. "test" is for a run that the ledger has let in, None for checks that print no
            case; see evals/golden/ledger.py.

    Raises:
        GoldenSetError: There is none of that name, or a line of its cases or its card is wrong.
    """
    folder = root / name
    path = folder / "cases.jsonl"
    if not path.is_file():
        raise GoldenSetError(f"There is no golden set '{name}' in {root}/. Use a checkout, or --golden-sets.")
    return GoldenSet(name, folder, tuple(load_cases(path, split)), cases_hash(path), read_card(folder / "card.md"))


def golden_set_names(root: Path) -> list[str]:
    """The names of all golden sets under a folder."""
    return sorted(path.parent.name for path in root.glob("*/cases.jsonl"))


def select(
    sets: Iterable[GoldenSet], only: Sequence[str] = (), sample: int | None = None
) -> list[tuple[GoldenSet, Case]]:
    """The cases to run, in the order of their files; retired ones are not among them.

    Args:
        sets: Golden sets, read with the split to run.
        only: Ids to keep; none keeps all.
        sample: Keep so many, the same ones each time: those whose ids have the lowest hashes.

    Raises:
        GoldenSetError: Two cases share an id, an id is unknown, or no case is left.
    """
    cases = [(golden, case) for golden in sets for case in golden.cases if case.retired is None]
    ids = Counter(case.id for _, case in cases)
    if twice := sorted(name for name, count in ids.items() if count > 1):
        raise GoldenSetError(f"Cases share an id: {', '.join(twice)}.")
    if unknown := sorted(set(only) - set(ids)):
        raise GoldenSetError(f"No such case in this split: {', '.join(unknown)}.")
    if only:
        cases = [(golden, case) for golden, case in cases if case.id in only]
    if sample is not None:
        kept = set(sorted((case.id for _, case in cases), key=lambda name: sha256(name.encode()).digest())[:sample])
        cases = [(golden, case) for golden, case in cases if case.id in kept]
    if not cases:
        raise GoldenSetError("There is no case to run.")
    return cases
