"""Splits keep together what belongs together, lose no case, and hold the share that was asked for."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.errors import GoldenSetError
from evals.golden.cases import Case
from evals.golden.splitting import SplitRules, plan_split
from tests.evals.conftest import ABSTAIN, make_case

LETTERS = str.maketrans("0123456789", "abcdefghij")  # a number in a word would be a word of its own
RULES = st.builds(
    SplitRules,
    by=st.sampled_from(["group", "random"]),
    test_share=st.floats(0, 1),
    seed=st.integers(0, 99),
    reassign=st.booleans(),
)


def case(number: int, group: int, *, uri: int | None = None, day: int = 0, **changes: Any) -> Case:
    """A case whose question no other one is like."""
    gold = {"action": "answer", "answers": ["x"], "evidence": [{"uri": f"d{uri}.md", "quote": "x"}]}
    what = (
        {"kind": "answerable", "gold": gold} if uri is not None else {"kind": "unanswerable", "gold": ABSTAIN["gold"]}
    )
    asked = " ".join(f"{number:02}{word}".translate(LETTERS) for word in range(9))
    created = str(date(2026, 1, 1) + timedelta(days=day))
    return make_case(
        **{**what, "id": f"c{number}", "group": f"g{group}", "question": asked, "created": created, **changes}
    )


SETS = st.lists(
    st.tuples(
        st.integers(0, 12), st.none() | st.integers(0, 8), st.integers(0, 20), st.sampled_from(["dev", "test"]),
        st.booleans(),
    ),
    min_size=1, max_size=25,
).map(lambda rows: [case(n, group, uri=uri, day=day, split=split, retired="old" if gone and n % 5 == 0 else None)
                    for n, (group, uri, day, split, gone) in enumerate(rows)])  # fmt: skip


def straddling(cases: tuple[Case, ...]) -> list[str]:
    sides: dict[str, set[str]] = {}
    for one in cases:
        live = one.retired is None
        for key in (one.group, *(quote.uri for quote in one.gold.evidence if live), *(one.additions if live else ())):
            sides.setdefault(key, set()).add(one.split)
    return [key for key, splits in sides.items() if len(splits) > 1]


@settings(deadline=None, max_examples=40)
@given(SETS, RULES)
def test_new_splits_keep_groups_whole_and_cases_all(cases: list[Case], rules: SplitRules) -> None:
    everything = [one.id for one in cases]
    plan = plan_split(cases, rules, everything)
    assert straddling(plan.cases) == []
    assert plan.conflicts == ()
    assert [one.model_copy(update={"split": "dev"}) for one in plan.cases] == [
        one.model_copy(update={"split": "dev"}) for one in cases
    ]
    assert plan == plan_split(cases, rules, everything)


@settings(deadline=None, max_examples=40)
@given(SETS, RULES.map(lambda rules: SplitRules(rules.by, rules.test_share, rules.seed)), st.data())
def test_a_case_that_has_a_split_keeps_it(cases: list[Case], rules: SplitRules, data: st.DataObject) -> None:
    new = data.draw(st.sets(st.sampled_from([one.id for one in cases])))
    plan = plan_split(cases, rules, new)
    assert plan.moved == ()
    assert all(
        after.split == before.split for before, after in zip(cases, plan.cases, strict=True) if before.id not in new
    )
    if not plan.conflicts:
        assert straddling(plan.cases) == []


@settings(deadline=None, max_examples=40)
@given(SETS, RULES)
def test_with_reassign_nothing_straddles(cases: list[Case], rules: SplitRules) -> None:
    plan = plan_split(cases, SplitRules(rules.by, rules.test_share, rules.seed, reassign=True))
    assert straddling(plan.cases) == []
    assert set(plan.moved) == {a.id for a, b in zip(cases, plan.cases, strict=True) if a.split != b.split}


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.integers(1, 3), min_size=15, max_size=40),
    st.sampled_from(["group", "random"]),
    st.floats(0.1, 0.6),
    st.integers(0, 99),
)
def test_shares_are_near_where_groups_are_small(sizes: list[int], by: Any, share: float, seed: int) -> None:
    numbers = [group for group, size in enumerate(sizes) for _ in range(size)]
    cases = [case(n, group, uri=group if n % 3 else None) for n, group in enumerate(numbers)]
    plan = plan_split(cases, SplitRules(by, share, seed, reassign=True))
    assert abs(sum(one.split == "test" for one in plan.cases) - share * len(cases)) <= 3
    of, test = Counter(one.kind for one in cases), Counter(one.kind for one in plan.cases if one.split == "test")
    assert all(abs(test[kind] - share * of[kind]) <= 4 for kind in of)


@settings(deadline=None, max_examples=40)
@given(SETS, st.floats(0, 1), st.integers(0, 99))
def test_by_time_no_test_case_is_older(cases: list[Case], share: float, seed: int) -> None:
    try:
        plan = plan_split(cases, SplitRules("time", share, seed, reassign=True))
    except GoldenSetError:
        return
    assert straddling(plan.cases) == []
    newest = max((one.created for one in plan.cases if one.split == "dev" and not one.retired), default=date.min)
    assert all(one.created >= newest for one in plan.cases if one.split == "test" and not one.retired)


def test_by_time_the_newest_go_to_test() -> None:
    cases = [case(n, n, day=n) for n in (3, 0, 9, 5, 1, 2, 4, 6, 7, 8)]
    plan = plan_split(cases, SplitRules("time", 0.3, reassign=True))
    assert {one.id for one in plan.cases if one.split == "test"} == {"c7", "c8", "c9"}


def test_groups_that_overlap_in_time_are_refused() -> None:
    cases = [case(n, n % 2, day=n) for n in range(6)]
    with pytest.raises(GoldenSetError, match="No day parts the groups"):
        plan_split(cases, SplitRules("time", 0.3, reassign=True))


def test_by_time_a_new_case_joins_the_cut_that_stands() -> None:
    cases = [case(0, 0, day=0), case(1, 1, day=5, split="test"), case(2, 2, day=9), case(3, 3, day=-3)]
    plan = plan_split(cases, SplitRules("time", 0.3), {"c2", "c3"})
    assert [one.split for one in plan.cases] == ["dev", "test", "test", "dev"]


def test_near_duplicates_and_additions_stay_together() -> None:
    question = "After how many minutes without a new row does the pipeline refuse the feed?"
    for changes in ({"question": question}, {"additions": ["poison.md"]}):
        for seed in range(8):
            cases = [case(n, n, **(changes if n < 2 else {})) for n in range(6)]
            plan = plan_split(cases, SplitRules("random", 0.5, seed, reassign=True))
            assert plan.groups == 5
            assert plan.cases[0].split == plan.cases[1].split


def test_what_asks_the_same_as_a_case_of_another_set_follows_it() -> None:
    question = "After how many minutes without a new row does the pipeline refuse the feed?"
    for split in ("dev", "test"):
        other = case(99, 99, question=question, split=split)
        for reassign in (False, True):
            rules = SplitRules("group", 0.5, 0, reassign)
            plan = plan_split([case(0, 0, question=question), case(1, 1)], rules, {"c0", "c1"}, [other])
            assert plan.cases[0].split == split


def test_a_standing_leak_is_a_conflict() -> None:
    cases = [case(0, 0), case(1, 0, split="test"), case(2, 0), case(3, 1)]
    plan = plan_split(cases, SplitRules(), {"c2"})
    assert plan.conflicts == (("c0", "c1", "c2"),)
    assert plan.cases[2].split == "dev"


@pytest.mark.parametrize("seed", range(10))
def test_a_large_group_that_comes_late_is_made_up_for(seed: int) -> None:
    cases = [case(n, min(n, 10)) for n in range(20)]  # ten cases in one group, ten alone
    plan = plan_split(cases, SplitRules("random", 0.5, seed, reassign=True))
    assert abs(plan.test_share - 0.5) <= 0.05


def test_the_seed_matters() -> None:
    cases = [case(n, n) for n in range(30)]
    splits = {
        tuple(one.split for one in plan_split(cases, SplitRules("group", 0.3, seed, True)).cases) for seed in range(5)
    }
    assert len(splits) > 1
