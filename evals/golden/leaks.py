"""Checks that look at several cases at once: duplicates, contradictions, and what leaks from dev to test."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from evals.golden.cases import Case
from evals.golden.near import asked, near_pairs
from evals.golden.problems import Problem, listed
from evals.golden.sets import GoldenSet
from evals.scorers.words import normalised


@dataclass(frozen=True, slots=True)
class _Asked:
    """A case as it stands among those of all sets; of another set it is named with it."""

    case: Case
    name: str
    own: bool


def duplicate_ids(golden: GoldenSet, others: Sequence[GoldenSet]) -> Iterator[Problem]:
    """Ids that stand twice, here or also in another set: records are kept by id. Retired cases count too."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for place in (golden, *others):
        for case in place.cases:
            places[case.id].append(place.name)
    for name in dict.fromkeys(case.id for case in golden.cases):
        if len(places[name]) > 1:
            yield Problem("duplicate-id", "error", f"id {name} stands twice: {', '.join(places[name])}", (name,))


def duplicates(golden: GoldenSet, others: Sequence[GoldenSet]) -> Iterator[Problem]:
    """The same question, or nearly, with the conversation before it: across splits it is a leak, of any two sets.

    Within one split an exact duplicate in the same set is an error, as it is the same measurement twice; what is only
    nearly the same, or stands in another set with other documents, is a warning.
    """
    every = [_Asked(case, case.id, True) for case in _live(golden)]
    every += [_Asked(case, f"{other.name}/{case.id}", False) for other in others for case in _live(other)]
    for first, second, alike in near_pairs([one.case for one in every]):
        one, two = every[first], every[second]
        if not one.own:
            continue  # own cases come first, so neither is
        ids = (one.name, two.name)
        same = asked(one.case) == asked(two.case)
        how = "ask the same" if same else f"ask nearly the same ({alike:.2f})"
        if one.case.split != two.case.split:
            splits = f"{one.case.split} and {two.case.split}"
            yield Problem("leak", "error", f"{one.name} and {two.name} {how}, in {splits}", ids)
        elif same and two.own:
            yield Problem("duplicate", "error", f"{one.name} and {two.name} {how}", ids)
        else:
            yield Problem("near-duplicate", "warning", f"{one.name} and {two.name} {how}", ids)


def straddling(golden: GoldenSet) -> Iterator[Problem]:
    """A group, a document of the evidence, or an added document that both splits know."""
    by: tuple[tuple[str, str, Callable[[Case], Iterable[str]]], ...] = (
        ("leak-group", "the group", lambda case: (case.group,)),
        ("leak-document", "evidence in", lambda case: {quote.uri for quote in case.gold.evidence}),
        ("leak-addition", "the addition", lambda case: set(case.additions)),
    )
    for code, what, keys in by:
        sharing: defaultdict[str, list[Case]] = defaultdict(list)
        for case in _live(golden):
            for key in keys(case):
                sharing[key].append(case)
        for key, cases in sharing.items():
            sides = {split: [case.id for case in cases if case.split == split] for split in ("dev", "test")}
            if all(sides.values()):
                told = f"{what} '{key}' is in both splits: dev {listed(sides['dev'])}; test {listed(sides['test'])}"
                yield Problem(code, "error", told, tuple(case.id for case in cases))


def time_order(golden: GoldenSet) -> Iterator[Problem]:
    """Where the card says that time decides the split: test cases that are older than the newest dev case."""
    newest = max((case.created for case in _live(golden) if case.split == "dev"), default=None)
    if golden.card.split_by != "time" or newest is None:
        return
    if old := [case.id for case in _live(golden) if case.split == "test" and case.created < newest]:
        told = f"test cases are older than the newest dev case ({newest}): {listed(old)}"
        yield Problem("time-order", "error", told, tuple(old))


def contradictions(golden: GoldenSet) -> Iterator[Problem]:
    """The same question with different gold: another action, or answers that have none in common."""
    same: defaultdict[str, list[Case]] = defaultdict(list)
    for case in _live(golden):
        same[asked(case)].append(case)
    for cases in same.values():
        first = cases[0]
        for other in cases[1:]:
            if first.gold.action != other.gold.action:
                how = f"expect to {first.gold.action} and to {other.gold.action}"
            elif _answers(first) and _answers(other) and not _answers(first) & _answers(other):
                how = "have no answer in common"
            else:
                continue
            told = f"{first.id} and {other.id} ask the same and {how}"
            yield Problem("contradiction", "error", told, (first.id, other.id))


def _answers(case: Case) -> set[tuple[str, ...]]:
    return {normalised(answer) for answer in (*case.gold.answers, *case.gold.must)}


def _live(golden: GoldenSet) -> list[Case]:
    return [case for case in golden.cases if case.retired is None]
