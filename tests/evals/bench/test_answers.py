"""The bench kind `answers`, end to end over a tiny set."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.bench.answers import Gold, Said, _held, answers, auc, scored
from evals.bench.read import QueryRow
from evals.bench.results import BenchRequest
from tests.conftest import Build
from tests.evals.bench.sets import jsonl, tsv, write_bench

NUMBERS = st.lists(st.integers(0, 5), min_size=1, max_size=8)


async def test_scores_of_a_tiny_set(build_services: Build, tmp_path: Path) -> None:
    result = await answers(build_services(), BenchRequest(write_bench(tmp_path / "tiny")))
    assert result.kind == "answers" and result.n == 3
    assert {name: score.n for name, score in result.metrics.items()} == {
        "exact_match": 2, "token_f1": 2, "contains_gold": 2, "highlight_f1": 2, "evidence_recall": 2,
        "claims_shown": result.metrics["claims_shown"].n, "retrieved_evidence": 2,
        "abstention": 3, "abstain_auc": 3,
    }  # fmt: skip
    assert result.metrics["claims_shown"].n >= 2 and result.metrics["highlight_f1"].value
    assert result.metrics["contains_gold"].value == 1.0 and result.metrics["exact_match"].value == 0.0
    assert result.metrics["retrieved_evidence"].value == 1.0
    assert result.baselines.keys() == {"always_abstain", "lead_bm25", "bm25"}
    silent = result.baselines["always_abstain"]
    assert silent["token_f1"].value == 0.0 and silent["abstention"].value == pytest.approx(1 / 3)
    assert silent["abstain_auc"].value == 0.5
    assert result.baselines["lead_bm25"]["evidence_recall"].value == 1.0  # gold is the lead of both documents
    assert result.about["gold_sentences_not_found"] == 0 and result.by_source.keys() == {"a", "b"}


async def test_a_gold_sentence_that_stands_nowhere_is_counted(build_services: Build, tmp_path: Path) -> None:
    sentences = ["Nobody wrote this.", "Roll back fast."]
    queries = jsonl([{"id": "q1", "text": "Canary?", "answers": ["x"], "gold_sentences": sentences}])
    path = write_bench(tmp_path / "tiny", queries=queries, qrels=tsv([("q1", "canary", 1)]))
    result = await answers(build_services(), BenchRequest(path))
    assert result.about["gold_sentences_not_found"] == 1
    assert result.metrics["evidence_recall"].n == 1


async def test_a_set_without_unanswerable_questions_has_no_auc(build_services: Build, tmp_path: Path) -> None:
    queries = '{"id": "q1", "text": "Canary?", "answers": ["x"]}\n'
    path = write_bench(tmp_path / "tiny", queries=queries, qrels=tsv([("q1", "canary", 1)]))
    assert (await answers(build_services(), BenchRequest(path))).metrics["abstain_auc"].value is None


def gold(*pieces: tuple[tuple[str, int, int], ...], answerable: bool = True) -> Gold:
    return Gold(QueryRow(id="q", text="?", answers=("x",), answerable=answerable), pieces)


def test_evidence_is_held_by_overlap_in_the_same_document() -> None:
    wanted = gold((("d", 0, 10),), (("d", 20, 30), ("e", 0, 5)))
    assert _held(wanted, [("d", 9, 12)]) == 0.5
    assert _held(wanted, [("d", 10, 20)]) == 0.0
    assert _held(wanted, [("e", 4, 9), ("d", 0, 1)]) == 1.0
    assert _held(gold(), [("d", 0, 1)]) is None
    assert _held(gold((("d", 0, 10),), answerable=False), []) is None


def test_abstaining_is_zero_where_an_answer_was_due_and_right_where_none_was() -> None:
    found = scored([gold(), gold(answerable=False)], [Said(), Said()], 0)
    assert (found["contains_gold"].value, found["contains_gold"].n) == (0.0, 1)
    assert found["abstention"].value == 0.5


@settings(deadline=None)  # a busy machine is no failure
@given(NUMBERS, NUMBERS)
def test_auc_is_the_share_of_ordered_pairs(positive: list[int], negative: list[int]) -> None:
    pairs = [(a > b) + (a == b) / 2 for a in positive for b in negative]
    assert auc(np.array(positive), np.array(negative)) == pytest.approx(sum(pairs) / len(pairs))
    assert auc(np.array(negative), np.array(positive)) == pytest.approx(1 - sum(pairs) / len(pairs))
