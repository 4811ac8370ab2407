"""Near-duplicates are found whatever small thing was changed; different questions are left alone."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.golden.near import NEAR, asked, near_pairs
from tests.evals.conftest import make_case

ROOT = Path(__file__).parents[3]
LONG = "After how many minutes without a new row should the pipeline refuse the feed?"


def turns(*texts: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text} for text in texts]


@pytest.mark.parametrize(
    "other",
    [
        LONG,
        LONG.upper(),
        LONG.replace("minutes", "hours"),
        f"{LONG} Please tell me.",
        f"Hello there, {LONG}",
        "Should the pipeline refuse the feed after how many minutes without a new row?",
        LONG.replace("many", "ｍａｎｙ"),
    ],
)
def test_small_changes_are_near_duplicates(other: str) -> None:
    [(one, two, alike)] = near_pairs([make_case(question=LONG), make_case(question=other)])
    assert (one, two) == (0, 1)
    assert NEAR <= alike <= 1


@pytest.mark.parametrize(
    "other",
    [
        "After how many releases does the team drop the old feature?",
        "How many rows does one page of the feed hold?",
        "🙂🙂",
    ],
)
def test_other_questions_are_not(other: str) -> None:
    assert near_pairs([make_case(question=LONG), make_case(question=other)]) == []


def test_scripts_without_spaces_and_texts_without_words_are_compared_too() -> None:
    chinese = [
        make_case(question="训练集和测试集应该如何划分才公平"),
        make_case(question="训练集和测试集应该如何划分才合理"),
    ]
    assert len(near_pairs(chinese)) == 1
    assert len(near_pairs([make_case(question="🙂🙂"), make_case(question="🙂🙂")])) == 1
    assert near_pairs([make_case(question="🙂🙂"), make_case(question="🚀")]) == []


def test_a_short_follow_up_is_compared_with_its_conversation() -> None:
    short = "And for how long?"
    ours = make_case(question=short, history=turns("What does a canary release send to the new version first?"))
    theirs = make_case(question=short, history=turns("Where do we keep the audit trail of refused requests?"))
    assert near_pairs([ours, theirs]) == []
    assert len(near_pairs([ours, make_case(question=short, history=turns(ours.history[0].content + " Tell me."))])) == 1
    long = [make_case(question=LONG), make_case(question=LONG, history=turns("Something else altogether, first."))]
    assert len(near_pairs(long)) == 1
    assert asked(long[0]) != asked(long[1])


def test_every_copy_of_a_template_is_paired() -> None:
    assert len(near_pairs([make_case(question=LONG) for _ in range(5)])) == 10


@given(
    st.lists(st.lists(st.sampled_from("row feed page team canary drift".split()), min_size=1, max_size=6), max_size=8)
)
def test_pairs_are_ordered_unique_and_exact(questions: list[list[str]]) -> None:
    cases = [make_case(question=" ".join(words)) for words in questions]
    found = near_pairs(cases)
    assert len({(a, b) for a, b, _ in found}) == len(found)
    assert all(a < b and NEAR <= alike <= 1 for a, b, alike in found)
    pairs = {(a, b) for a, b, _ in found}
    assert all(
        (a, b) in pairs
        for a in range(len(cases))
        for b in range(a + 1, len(cases))
        if asked(cases[a]) == asked(cases[b])
    )


@pytest.mark.parametrize("name", ["handbook", "adversarial", "pii"])
def test_the_threshold_keeps_a_distance_from_different_questions(name: str) -> None:
    lines = (ROOT / "golden_sets" / name / "cases.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    cases = [make_case(question=row["question"], history=row.get("history", [])) for row in rows]
    assert near_pairs(cases, NEAR - 0.05) == []
