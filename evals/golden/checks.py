"""What can be wrong with a golden set, beyond the form of its lines."""

from collections import Counter
from collections.abc import Iterator, Sequence

from evals.errors import EvidenceError
from evals.golden.cards import counted
from evals.golden.cases import Case
from evals.golden.leaks import contradictions, duplicate_ids, duplicates, straddling, time_order
from evals.golden.problems import Problem, listed
from evals.golden.sets import GoldenSet
from evals.running.evidence import SnapshotTexts, resolve
from evals.scorers.words import holds, normalised

FEWEST = 5
"""Cases of a kind below which nothing can be said of the kind."""
LARGEST_SHARE = 0.6
"""Of one kind, above which the mean over all cases is a mean over that kind."""
UNANSWERED_SHARE = 0.25
"""Of cases not to be answered, below which a system that always answers looks good."""


def check(golden: GoldenSet, texts: SnapshotTexts | None = None, others: Sequence[GoldenSet] = ()) -> list[Problem]:
    """All problems of a golden set, errors first. No message holds the words of a case of the test split.

    Args:
        golden: The set, read with all splits.
        texts: The snapshot of its documents; None leaves the evidence unchecked.
        others: The other sets, read with all splits, in which ids and questions must not stand again. Documents and
            groups are compared within the set only.
    """
    found = [
        *card_problems(golden),
        *duplicate_ids(golden, others),
        *duplicates(golden, others),
        *straddling(golden),
        *time_order(golden),
        *contradictions(golden),
        *gold_problems(golden),
        *(evidence_problems(golden, texts) if texts is not None else ()),
        *addition_problems(golden),
        *balance_problems(golden),
    ]
    return sorted(found, key=lambda problem: problem.severity != "error")


def card_problems(golden: GoldenSet) -> Iterator[Problem]:
    """A card that disagrees with the cases or the folder."""
    card = golden.card
    if card.name != golden.name:
        yield Problem("card-name", "error", f"the card says the name '{card.name}', the folder '{golden.name}'")
    if card.sha256 != golden.sha256:
        yield Problem("card-hash", "error", f"the card states another sha256 than that of cases.jsonl: {golden.sha256}")
    for field, right in counted(golden.cases).items():
        said = getattr(card, field)
        if isinstance(right, dict):
            said = {key: count for key, count in sorted(said.items()) if count}
        if said != right:
            yield Problem("card-counts", "error", f"the card says {field}: {_plain(said)}; there are {_plain(right)}")


def gold_problems(golden: GoldenSet) -> Iterator[Problem]:
    """Gold that cannot be met: `must_not` within what is to be said or quoted; and answers that nothing supports."""
    for case in _live(golden):
        gold = case.gold
        quotes = [normalised(quote.quote) for quote in gold.evidence]
        # What is to be redacted does stand in the document.
        right = [
            *(quotes if gold.action != "redact" else ()),
            *(normalised(said) for said in (*gold.answers, *gold.must)),
        ]
        if wrong := [
            number for number, part in enumerate(gold.must_not, 1) if any(holds(text, part) for text in right)
        ]:
            told = f"{case.id}: must_not {listed(map(str, wrong))} stands in its own answers or evidence"
            yield Problem("must-not", "error", told, (case.id,))
        stand = any(holds(quote, answer) for quote in quotes for answer in gold.answers)
        if gold.action == "answer" and quotes and gold.answers and not stand:
            told = f"{case.id}: none of its answers stands in its evidence"
            yield Problem("unsupported-answer", "warning", told, (case.id,))


def evidence_problems(golden: GoldenSet, texts: SnapshotTexts) -> Iterator[Problem]:
    """Gold evidence that does not stand, once, in the documents."""
    for case in _live(golden):
        try:
            resolve(case, texts)
        except EvidenceError as error:
            # The error quotes the evidence: of a locked case that is more than anyone should read.
            locked = f"{case.id}: its gold evidence does not stand, once, in snapshot {texts.snapshot}"
            yield Problem("evidence", "error", str(error) if case.split == "dev" else locked, (case.id,))


def addition_problems(golden: GoldenSet) -> Iterator[Problem]:
    """Added documents that are missing, or that no case needs."""
    folder = golden.folder / "additions"
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    there = {uri for uri in there if not uri.rpartition("/")[2].startswith(".")}
    used: set[str] = set()
    for case in golden.cases:
        used.update(case.additions)
        if case.retired is None and (missing := [uri for uri in case.additions if uri not in there]):
            told = f"{case.id}: not in additions/: {listed(missing)}"
            yield Problem("addition-missing", "error", told, (case.id,))
    if unused := sorted(there - used):
        yield Problem("addition-unused", "warning", f"additions that no case names: {listed(unused)}")


def balance_problems(golden: GoldenSet) -> Iterator[Problem]:
    """Kinds with too few or too many cases, and too few cases that must not be answered."""
    cases = _live(golden)
    kinds = Counter(case.kind for case in cases)
    for kind, count in kinds.items():
        if count < FEWEST:
            yield Problem("kinds", "warning", f"kind {kind} has {count} cases, fewer than {FEWEST}")
        if len(kinds) > 1 and count > LARGEST_SHARE * len(cases):
            yield Problem("kinds", "warning", f"kind {kind} has {count} of {len(cases)} cases, more than 60 %")
    unanswered = sum(case.gold.action in ("abstain", "clarify", "refuse") for case in cases)
    if kinds["unanswerable"] and unanswered < UNANSWERED_SHARE * len(cases):
        told = f"{unanswered} of {len(cases)} cases are not to be answered, fewer than 25 %"
        yield Problem("abstention-share", "warning", told)


def _live(golden: GoldenSet) -> list[Case]:
    return [case for case in golden.cases if case.retired is None]


def _plain(value: object) -> str:
    return (
        ", ".join(f"{key} {count}" for key, count in value.items()) or "none" if isinstance(value, dict) else str(value)
    )
