"""Golden sets: a folder with card.md, cases.jsonl and the documents that the cases ask about."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from evals.cases import Case, cases_hash, load_cases
from evals.errors import EvidenceError, GoldenSetError
from evals.evidence import SnapshotTexts, resolve


@dataclass(frozen=True, slots=True)
class GoldenSet:
    """A golden set as it was read."""

    name: str
    folder: Path
    cases: tuple[Case, ...]
    sha256: str

    @property
    def corpus(self) -> Path:
        """The folder of its documents."""
        return self.folder / "corpus"


def load_golden_set(root: Path, name: str) -> GoldenSet:
    """Read a golden set.

    Raises:
        GoldenSetError: There is none of that name, or a line of its cases is wrong.
    """
    folder = root / name
    if not (folder / "cases.jsonl").is_file():
        raise GoldenSetError(f"There is no golden set '{name}' in {root}/. Use a checkout, or --golden-sets.")
    path = folder / "cases.jsonl"
    return GoldenSet(name, folder, tuple(load_cases(path)), cases_hash(path))


def golden_set_names(root: Path) -> list[str]:
    """The names of all golden sets under a folder."""
    return sorted(path.parent.name for path in root.glob("*/cases.jsonl"))


def select(sets: Iterable[GoldenSet], only: Sequence[str], sample: int | None) -> list[Case]:
    """The development cases to run, in the order of their files. The test split is never among them.

    Args:
        sets: Golden sets.
        only: Ids to keep; none keeps all.
        sample: Keep so many, the same ones each time: those whose ids have the lowest hashes.

    Raises:
        GoldenSetError: Two cases share an id, an id is unknown, or no case is left.
    """
    cases = [case for golden in sets for case in golden.cases if case.split == "dev"]
    if twice := _repeated((case.id, case.id) for case in cases):
        raise GoldenSetError(f"Cases share an id: {'; '.join(sorted(twice))}.")
    if unknown := sorted(set(only) - {case.id for case in cases}):
        raise GoldenSetError(f"No such case: {', '.join(unknown)}.")
    if only:
        cases = [case for case in cases if case.id in only]
    if sample is not None:
        kept = sorted((case.id for case in cases), key=lambda name: sha256(name.encode()).digest())[:sample]
        cases = [case for case in cases if case.id in kept]
    if not cases:
        raise GoldenSetError("There is no case to run.")
    return cases


def problems(golden: GoldenSet, texts: SnapshotTexts) -> list[str]:
    """What is wrong with a golden set, one line each."""
    found = [f"id stands twice: {name}" for name in _repeated((case.id, case.id) for case in golden.cases)]
    found += [f"same question: {ids}" for ids in _repeated((_asked(case), case.id) for case in golden.cases)]
    card = golden.folder / "card.md"
    if not card.is_file():
        found.append("card.md is missing")
    elif golden.sha256 not in card.read_text("utf-8"):
        found.append(f"card.md does not state the sha256 of cases.jsonl, {golden.sha256}")
    for case in golden.cases:
        try:
            resolve(case, texts)
        except EvidenceError as error:
            found.append(str(error))
    return found


def _asked(case: Case) -> str:
    """A case's words in lower case, with the conversation before them: a follow-up is no question on its own."""
    return " ".join(" ".join([*(turn.content for turn in case.history), case.question]).casefold().split())


def _repeated(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """The ids that share a key, joined."""
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for key, name in pairs:
        ids[key].append(name)
    return [", ".join(names) for names in ids.values() if len(names) > 1]
