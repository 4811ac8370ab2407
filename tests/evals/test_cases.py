"""Golden cases are read strictly, and what is wrong is named by file, line and field."""

import json
from pathlib import Path

import pytest

from app.types import Message
from evals.errors import GoldenSetError
from evals.golden.cases import load_cases
from evals.golden.sets import load_golden_set, select
from tests.evals.conftest import ABSTAIN, case_json, make_case, write_set


def test_a_case_is_asked_with_its_conversation() -> None:
    case = make_case(history=[{"role": "user", "content": "Before?"}])
    request = case.request("handbook")
    assert (request.question, request.history, request.corpus) == (
        case.question,
        (Message("user", "Before?"),),
        "handbook",
    )


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"surplus": 1}, "surplus: Extra inputs"),
        ({"kind": "odd"}, "kind: Input should be"),
        ({"severity": "huge"}, "severity: Input should be"),
        ({"id": "Bad Id"}, "id: String should match"),
        ({"gold": {"action": "answer", "answers": ["x"]}}, "gold: Value error, the action 'answer' needs tool_calls"),
        ({"gold": {"action": "abstain", "answers": ["x"]}}, "gold: Value error, the action 'abstain' has no"),
        ({"gold": {"action": "abstain", "odd": 1}}, "gold.odd: Extra inputs"),
        ({"history": [{"role": "system", "content": "x"}]}, "history.0.role: Input should be"),
    ],
)
def test_a_wrong_field_is_named_with_file_and_line(tmp_path: Path, changes: dict[str, object], named: str) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text("\n".join(json.dumps(case) for case in (case_json("a"), case_json("b", **changes))))
    with pytest.raises(GoldenSetError) as raised:
        load_cases(path)
    assert str(raised.value).startswith(f"{path}:2: {named}")


def test_a_line_that_is_not_json_and_a_file_that_is_not_there_are_named(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text("\n{broken")
    with pytest.raises(GoldenSetError, match=r"cases\.jsonl:2: line: Invalid JSON"):
        load_cases(path)
    with pytest.raises(GoldenSetError, match="cannot be read"):
        load_cases(tmp_path / "none.jsonl")


def test_the_test_split_is_never_selected(tmp_path: Path) -> None:
    write_set(tmp_path, [case_json("a"), case_json("b", split="test")])
    golden = load_golden_set(tmp_path, "tiny")
    assert [case.id for _, case in select([golden])] == ["a"]
    with pytest.raises(GoldenSetError, match="No such case in this split: b"):
        select([golden], ["b"], None)


def test_a_sample_is_the_same_each_time_and_grows_by_adding(tmp_path: Path) -> None:
    write_set(tmp_path, [case_json(f"c-{i}") for i in range(20)])
    golden = load_golden_set(tmp_path, "tiny")
    five, nine = ({case.id for _, case in select([golden], (), n)} for n in (5, 9))
    assert len(five) == 5
    assert five < nine
    assert five == {case.id for _, case in select([golden], (), 5)}


def test_two_cases_with_one_id_are_refused(tmp_path: Path) -> None:
    write_set(tmp_path, [case_json("a"), case_json("a", **ABSTAIN)])
    with pytest.raises(GoldenSetError, match="share an id: a"):
        select([load_golden_set(tmp_path, "tiny")], (), None)


def test_an_unknown_set_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(GoldenSetError, match="no golden set 'none'"):
        load_golden_set(tmp_path, "none")
