"""Each thing that can be wrong with a golden set is found, and a test case is never quoted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evals.golden.checks import check
from evals.golden.problems import Problem
from evals.golden.sets import load_golden_set
from evals.running.corpus import ready_corpus
from tests.conftest import Build
from tests.evals.conftest import ABSTAIN, QUOTE, case_json, write_set

ASKED = [
    "Who owns the nightly report?",
    "When does a canary release end and what follows it?",
    "Which index measures model drift?",
    "How is label quality sampled each quarter by the annotators?",
    "Why rebuild our vector index after an upgrade?",
]
AGAIN = "When does a canary release end, and what comes after?"
Case = dict[str, Any]


def apart(name: str, number: int, **changes: Any) -> Case:
    """A case that shares nothing with those of other numbers."""
    base = {"question": ASKED[number], "group": f"g{number}", **{key: ABSTAIN[key] for key in ("kind", "gold")}}
    return case_json(name, **{**base, **changes})


def found(root: Path, cases: list[Case], stated: Case | None = None, others: tuple[str, ...] = ()) -> list[Problem]:
    """What is wrong with the set `tiny` of these cases; balance aside, as it is tiny."""
    write_set(root, cases, stated=stated)
    sets = [load_golden_set(root, name, None) for name in ("tiny", *others)]
    return [one for one in check(sets[0], None, sets[1:]) if one.code != "kinds"]


def codes(problems: list[Problem]) -> list[str]:
    return [problem.code for problem in problems]


def gold(**changes: Any) -> Case:
    return {"action": "answer", "answers": ["5 minutes"], "evidence": [{"uri": "canary.md", "quote": QUOTE}], **changes}


ANSWERED: Case = {"kind": "answerable", "gold": gold()}


def test_a_sound_set_has_no_problems(tmp_path: Path) -> None:
    cases = [apart("a", 0), apart("b", 1, split="test"), case_json("c"), apart("d", 2, retired="It was unclear.")]
    stated = {"cases": 3, "retired": 1, "kinds": {"unanswerable": 2, "answerable": 1},
              "actions": {"abstain": 2, "answer": 1}, "splits": {"dev": 2, "test": 1}}  # fmt: skip
    assert found(tmp_path, cases, stated) == []


BAD: list[tuple[str, str, list[Case]]] = [
    ("duplicate-id", "error", [apart("a", 0), apart("a", 1)]),
    ("duplicate", "error", [apart("a", 0), apart("b", 0, question="WHO owns  the nightly report?")]),
    ("near-duplicate", "warning", [apart("a", 1), apart("b", 1, question=AGAIN)]),
    ("leak", "error", [apart("a", 1), apart("b", 1, group="y", split="test", question=AGAIN)]),
    ("leak-group", "error", [apart("a", 0, group="same"), apart("b", 1, group="same", split="test")]),
    ("leak-document", "error", [apart("a", 0, **ANSWERED), apart("b", 1, **ANSWERED, split="test")]),
    ("must-not", "error", [case_json("a", gold=gold(must_not=["Within 5 minutes"]))]),
    ("must-not", "error", [case_json("a", gold=gold(answers=["5 minutes", "5 minutes, not 6"], must_not=["not 6"]))]),
    ("unsupported-answer", "warning", [case_json("a", gold=gold(answers=["a quarter of an hour"]))]),
    ("addition-missing", "error", [apart("a", 0, additions=["gone.md"])]),
]  # fmt: skip


@pytest.mark.parametrize(("code", "severity", "cases"), BAD, ids=[f"{row[0]}-{n}" for n, row in enumerate(BAD)])
def test_what_is_wrong_is_found_alone_and_named(tmp_path: Path, code: str, severity: str, cases: list[Case]) -> None:
    [problem] = found(tmp_path, cases)
    assert (problem.code, problem.severity) == (code, severity)
    assert set(problem.case_ids) == {case["id"] for case in cases}
    assert all(name in problem.message for name in problem.case_ids)


@pytest.mark.parametrize("row", BAD, ids=[f"{row[0]}-{n}" for n, row in enumerate(BAD)])
def test_no_word_of_a_test_case_is_told(tmp_path: Path, row: tuple[str, str, list[Case]]) -> None:
    cases = [{**case, "split": "test"} for case in row[2]]
    for problem in found(tmp_path, cases):
        for case in cases:
            assert case["question"] not in problem.message
            assert all(part not in problem.message for part in case["gold"].get("must_not", []))


@pytest.mark.parametrize(
    ("one", "other", "wrong"),
    [
        ({}, ANSWERED, "expect to abstain and to answer"),
        (ANSWERED, {**ANSWERED, "gold": gold(answers=["roll back"])}, "no answer in common"),
        (ANSWERED, {**ANSWERED, "gold": gold(answers=["5 Minutes!", "x"])}, None),
    ],
)
def test_the_same_question_with_other_gold_contradicts(
    tmp_path: Path, one: Case, other: Case, wrong: str | None
) -> None:
    problems = found(tmp_path, [apart("a", 0, **one), apart("b", 0, **other)])
    told = [problem.message for problem in problems if problem.code == "contradiction"]
    assert [wrong in message for message in told] == ([True] if wrong else [])


def test_retired_cases_leak_nothing(tmp_path: Path) -> None:
    problems = found(tmp_path, [apart("a", 0), apart("b", 0, split="test", retired="Leaked.")])
    assert codes(problems) == ["card-counts"] * 5  # that the card's counts are wrong is all


def test_what_is_to_be_redacted_stands_in_the_document(tmp_path: Path) -> None:
    wrong = gold(action="redact", answers=[], must_not=["5 minutes"])
    assert found(tmp_path, [case_json("a", kind="pii", gold=wrong)]) == []


def test_other_sets_are_compared(tmp_path: Path) -> None:
    write_set(tmp_path, [apart("a", 0), apart("x", 1, split="test"), apart("y", 2)], name="other")
    cases = [apart("a", 3), apart("b", 1), apart("c", 2), apart("d", 4, split="test", group="g0")]
    problems = found(tmp_path, cases, others=("other",))
    assert [(p.code, p.case_ids) for p in problems] == [
        ("duplicate-id", ("a",)),
        ("leak", ("b", "other/x")),
        ("near-duplicate", ("c", "other/y")),
    ]


def test_time_order_is_checked_where_the_card_promises_it(tmp_path: Path) -> None:
    cases = [apart("a", 0, created="2026-03-01"), apart("b", 1, split="test", created="2026-02-01"),
             apart("c", 2, split="test", created="2026-03-01")]  # fmt: skip
    assert found(tmp_path, cases) == []
    [problem] = found(tmp_path, cases, {"split_by": "time"})
    assert (problem.code, problem.case_ids) == ("time-order", ("b",))


@pytest.mark.parametrize(
    ("stated", "code"),
    [
        ({"name": "else"}, "card-name"),
        ({"sha256": "0" * 64}, "card-hash"),
        ({"cases": 3}, "card-counts"),
        ({"retired": 1}, "card-counts"),
        ({"splits": {"dev": 1, "test": 1}}, "card-counts"),
        ({"kinds": {"answerable": 2}}, "card-counts"),
        ({"actions": {}}, "card-counts"),
        ({"pending": {"tools": 1}}, "card-counts"),
    ],
)
def test_a_card_that_disagrees_is_found(tmp_path: Path, stated: Case, code: str) -> None:
    [problem] = found(tmp_path, [apart("a", 0), apart("b", 1)], stated)
    assert (problem.code, problem.severity) == (code, "error")


def test_a_zero_in_the_card_is_no_disagreement(tmp_path: Path) -> None:
    assert found(tmp_path, [apart("a", 0)], {"splits": {"dev": 1, "test": 0}}) == []


def test_unused_additions_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "tiny" / "additions" / "sub"
    folder.mkdir(parents=True)
    for name in ("used.md", "unused.md", ".hidden"):
        (folder / name).write_text("x")
    [problem] = found(tmp_path, [apart("a", 0, additions=["sub/used.md"])])
    assert (problem.code, problem.severity) == ("addition-unused", "warning")
    assert problem.message.endswith(": sub/unused.md")


def test_an_addition_in_both_splits_leaks(tmp_path: Path) -> None:
    folder = tmp_path / "tiny" / "additions"
    folder.mkdir(parents=True)
    (folder / "poison.md").write_text("x")
    cases = [apart("a", 0, additions=["poison.md"]), apart("b", 1, additions=["poison.md"], split="test")]
    assert codes(found(tmp_path, cases)) == ["leak-addition"]


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        ({"answerable": 6, "unanswerable": 6}, []),
        ({"answerable": 6, "unanswerable": 4}, ["kind unanswerable has 4 cases, fewer than 5"]),
        ({"answerable": 12, "unanswerable": 5}, ["kind answerable has 12 of 17 cases, more than 60 %"]),
        ({"answerable": 6}, []),
        (
            {"answerable": 8, "policy": 8, "unanswerable": 5},
            ["5 of 21 cases are not to be answered, fewer than 25 %"],
        ),
    ],
)
def test_balance(tmp_path: Path, kinds: dict[str, int], told: list[str]) -> None:
    cases = [
        case_json(f"{kind}-{n}", kind=kind, **({"gold": {"action": "abstain"}} if kind == "unanswerable" else {}))
        for kind, count in kinds.items()
        for n in range(count)
    ]
    write_set(tmp_path, cases)
    problems = check(load_golden_set(tmp_path, "tiny", None))
    assert [p.message for p in problems if p.code in ("kinds", "abstention-share")] == told


@pytest.fixture
def evidence_problems(tmp_path: Path, build_services: Build) -> Callable[[list[Case]], list[Problem]]:
    def of(cases: list[Case]) -> list[Problem]:
        write_set(tmp_path, cases)
        golden = load_golden_set(tmp_path, "tiny", None)
        texts = ready_corpus(build_services(), golden, None)
        return [one for one in check(golden, texts) if one.code == "evidence"]

    return of


def test_evidence_that_does_not_stand_is_quoted_for_dev_only(
    evidence_problems: Callable[[list[Case]], list[Problem]],
) -> None:
    bad = {"kind": "answerable", "gold": gold(evidence=[{"uri": "canary.md", "quote": "It is written nowhere."}])}
    dev, test = evidence_problems([apart("a", 0, **bad), apart("b", 1, split="test", **bad), case_json("c")])
    assert "It is written nowhere." in dev.message
    assert "nowhere" not in test.message
    assert (dev.case_ids, test.case_ids) == (("a",), ("b",))
