"""Which cases are dev and which are test, decided for whole groups: nothing of one split is known in the other."""

import random
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from evals.errors import GoldenSetError
from evals.golden.cards import SplitBy
from evals.golden.cases import Case, Split
from evals.golden.near import near_pairs

_PASSES = 20


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """Each case of a set, in order, with its split as planned; and what stands in the way of writing it."""

    cases: tuple[Case, ...]
    assigned: tuple[str, ...]
    """Ids of the cases that had no split."""
    moved: tuple[str, ...]
    """Ids of the cases that had another."""
    groups: int
    """How many sets of cases must stay together."""
    largest: int
    """Cases in the largest of them."""
    conflicts: tuple[tuple[str, ...], ...]
    """Ids that must stay together and already stand in both splits."""

    @property
    def test_share(self) -> float:
        """Of all cases."""
        return sum(case.split == "test" for case in self.cases) / max(1, len(self.cases))


@dataclass(frozen=True, slots=True)
class SplitRules:
    """How to split. `group` places the largest groups first, `random` in an order that the seed decides."""

    by: SplitBy = "group"
    test_share: float = 0.3
    seed: int = 0
    reassign: bool = False
    """Cases that have a split may lose it. A dev case that was looked at must not become test: this forgets that."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Cases, by index, that must stay together; `split` where it is already decided."""

    members: tuple[int, ...]
    split: Split | None


def plan_split(
    cases: Sequence[Case], rules: SplitRules, unassigned: Collection[str] = (), others: Sequence[Case] = ()
) -> SplitPlan:
    """Assign splits. Cases stay together that share a group, a document of evidence or an addition, or ask the same.

    Args:
        cases: All cases of a set.
        rules: How.
        unassigned: Ids of the cases that have no split yet; the others keep theirs unless the rules say otherwise.
        others: Cases of other sets. They keep their split, and draw what asks the same into it.

    Raises:
        GoldenSetError: `by` is time, and no day parts the groups.
    """
    fixed: dict[int, Split] = {
        number: case.split
        for number, case in enumerate([*cases, *others])
        if number >= len(cases) or not (rules.reassign or case.id in unassigned)
    }
    groups, conflicts = _groups(cases, others, fixed)
    place = _by_time if rules.by == "time" else _balanced
    chosen = {number: side for group, side in place(cases, groups, rules) for number in group.members} | fixed
    planned = tuple(case.model_copy(update={"split": chosen[number]}) for number, case in enumerate(cases))
    old = [(before, after) for before, after in zip(cases, planned, strict=True) if before.id not in unassigned]
    return SplitPlan(
        cases=planned,
        assigned=tuple(case.id for case in cases if case.id in unassigned),
        moved=tuple(after.id for before, after in old if before.split != after.split),
        groups=len(groups),
        largest=max((len(group.members) for group in groups), default=0),
        conflicts=conflicts,
    )


def _groups(
    cases: Sequence[Case], others: Sequence[Case], fixed: Mapping[int, Split]
) -> tuple[list[_Group], tuple[tuple[str, ...], ...]]:
    """What must stay together, and the ids of those groups that already do not."""
    every = [*cases, *others]
    # A retired case is not run: it leaks nothing, and must not tie others together.
    live = [number for number, case in enumerate(every) if case.retired is None]
    edges: list[tuple[int, Hashable]] = []
    for number, case in enumerate(cases):
        edges.append((number, ("group", case.group)))
        if case.retired is None:
            edges += [(number, ("document", quote.uri)) for quote in case.gold.evidence]
            edges += [(number, ("addition", uri)) for uri in case.additions]
    edges += [(live[one], live[two]) for one, two, _ in near_pairs([every[number] for number in live])]
    groups, conflicts = [], []
    for members in _components(len(every), edges):
        own = tuple(number for number in members if number < len(cases))
        sides = {fixed[number] for number in members if number in fixed}
        if own and len(sides) > 1:
            conflicts.append(tuple(every[number].id for number in members))
        if own:
            # In doubt dev: a case too many there costs less than one that is known in test.
            groups.append(_Group(own, None if not sides else "dev" if "dev" in sides else "test"))
    return groups, tuple(conflicts)


def _components(count: int, edges: Iterable[tuple[int, Hashable]]) -> list[list[int]]:
    """Union-find over the numbers below `count`; an edge may lead to a key that several share."""
    parent: dict[Hashable, Hashable] = {number: number for number in range(count)}

    def root(node: Hashable) -> Hashable:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for one, other in edges:
        parent[root(one)] = root(other)
    found: defaultdict[Hashable, list[int]] = defaultdict(list)
    for number in range(count):
        found[root(number)].append(number)
    return list(found.values())


def _balanced(cases: Sequence[Case], groups: Sequence[_Group], rules: SplitRules) -> list[tuple[_Group, Split]]:
    """Each group to the side that keeps the share of every kind and action closest to the one wanted."""
    strata = [Counter(key for number in group.members for key in _strata(cases[number])) for group in groups]
    total = sum(strata, Counter[str]())

    def off(test: Mapping[str, int], seen: Mapping[str, int]) -> float:
        return sum((test[key] - rules.test_share * seen[key]) ** 2 / total[key] for key in total)

    order = list(range(len(groups)))
    random.Random(rules.seed).shuffle(order)  # noqa: S311 -- not for secrets
    if rules.by == "group":
        order.sort(key=lambda number: -len(groups[number].members))
    free = [number for number in order if groups[number].split is None]
    side: dict[int, Split] = {number: split for number in order if (split := groups[number].split)}
    seen = sum((strata[number] for number in side), Counter[str]())
    test = sum((strata[number] for number, split in side.items() if split == "test"), Counter[str]())
    for number in free:
        seen = seen + strata[number]
        side[number] = "test" if off(test + strata[number], seen) < off(test, seen) else "dev"
        test = test + strata[number] if side[number] == "test" else test
    for _ in range(_PASSES):  # the first groups were placed without knowing the last: let each one change its mind
        changed = False
        for number in free:
            there = side[number] == "test"
            other = test - strata[number] if there else test + strata[number]
            if off(other, total) < off(test, total) - 1e-9:
                test, side[number], changed = other, "dev" if there else "test", True
        if not changed:
            break
    return [(groups[number], side[number]) for number in order]


def _strata(case: Case) -> tuple[str, ...]:
    """A retired case counts nowhere; every other for the whole, for its kind and action, and for its kind."""
    return () if case.retired else ("", case.kind, f"{case.kind} {case.gold.action}")


def _by_time(cases: Sequence[Case], groups: Sequence[_Group], rules: SplitRules) -> list[tuple[_Group, Split]]:
    """The newest groups to test, cut where no test case is older than the newest dev case."""
    days = [[cases[number].created for number in group.members if not cases[number].retired] for group in groups]
    empty = [(group, group.split or "dev") for group, dates in zip(groups, days, strict=True) if not dates]
    dated = [(min(dates), max(dates), group) for group, dates in zip(groups, days, strict=True) if dates]
    random.Random(rules.seed).shuffle(dated)  # noqa: S311 -- decides between groups of one day, not about secrets
    # Of groups that begin on one day, those that end later, or are test already, belong behind the cut.
    dated.sort(key=lambda one: (one[0], one[1], ("dev", None, "test").index(one[2].split)))
    wanted = rules.test_share * sum(len(group.members) for *_, group in dated)
    cuts = []
    for cut in range(len(dated) + 1):
        before, after = dated[:cut], dated[cut:]
        parted = not before or not after or max(newest for _, newest, _ in before) <= after[0][0]
        kept = all(g.split != "test" for *_, g in before) and all(g.split != "dev" for *_, g in after)
        if parted and kept:
            cuts.append((abs(sum(len(group.members) for *_, group in after) - wanted), cut))
    undecided = len(dated) > 1 and all(group.split is None for *_, group in dated)
    if not cuts or (undecided and 0 < rules.test_share < 1 and all(cut in (0, len(dated)) for _, cut in cuts)):
        raise GoldenSetError(
            "No day parts the groups into older and newer ones: split by group, or make groups smaller."
        )
    cut = min(cuts)[1]
    return empty + [(one[2], "dev" if number < cut else "test") for number, one in enumerate(dated)]
