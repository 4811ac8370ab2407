"""Ranking: values by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.scorers.retrieval import context_precision, mrr, ndcg_at_8, recall_at
from evals.types import Scorer
from tests.evals.conftest import evidence, make_case, make_result, passage

HIT, OTHER, MISS = (0, 20), (60, 80), (30, 50)
"""Passages: of the first gold span, of the second, of none."""
GOLD = evidence((5, 10), (70, 75))


def score(scorer: Scorer, *places: tuple[int, int]) -> float | None:
    return scorer(make_case(), make_result("x", passages=tuple(passage(*place) for place in places)), GOLD)


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ((HIT, OTHER), 1.0),
        ((HIT, MISS, OTHER), (1 + 1 / math.log2(4)) / (1 + 1 / math.log2(3))),
        ((MISS, HIT), (1 / math.log2(3)) / (1 + 1 / math.log2(3))),
        ((HIT,), 1 / (1 + 1 / math.log2(3))),
        (((0, 80),), 1.0),  # one passage holds both spans
        ((HIT, (2, 22), OTHER), (1 + 1 / math.log2(4)) / (1 + 1 / math.log2(3))),  # the overlapping chunk gains nothing
        ((MISS, MISS), 0.0),
        ((), 0.0),
        ((MISS,) * 8 + (HIT,), 0.0),  # beyond the eighth nothing counts
    ],
)
def test_ndcg(places: tuple[tuple[int, int], ...], expected: float) -> None:
    assert score(ndcg_at_8, *places) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("places", "expected"),
    [((HIT, MISS, OTHER), (1 + 2 / 3) / 2), ((MISS, HIT), 0.5), ((HIT, OTHER, MISS), 1.0), ((MISS,), 0.0), ((), 0.0)],
)
def test_average_precision(places: tuple[tuple[int, int], ...], expected: float) -> None:
    assert score(context_precision, *places) == pytest.approx(expected)


def test_reciprocal_rank() -> None:
    assert score(mrr, MISS, MISS, OTHER) == pytest.approx(1 / 3)
    assert score(mrr, MISS) == 0.0


def test_recall_at_k() -> None:
    places = (HIT, MISS, MISS, OTHER)
    assert [score(recall_at(k), *places) for k in (1, 3, 8)] == [0.5, 0.5, 1.0]


def test_nothing_is_ranked_without_gold() -> None:
    result = make_result("x", passages=(passage(0, 9),))
    assert [s(make_case(), result, evidence()) for s in (mrr, ndcg_at_8, context_precision, recall_at(1))] == [None] * 4


def test_a_span_that_only_touches_a_passage_is_not_found() -> None:
    assert score(recall_at(8), (10, 70)) == 0.0


@given(st.lists(st.sampled_from([HIT, OTHER, MISS]), max_size=8), st.integers(0, 7))
def test_moving_a_passage_down_that_was_first_of_its_kind_never_helps(places: list[tuple[int, int]], at: int) -> None:
    if at + 1 >= len(places) or places[at] == MISS or places[at + 1] != MISS:
        return
    lower = [*places[:at], places[at + 1], places[at], *places[at + 2 :]]
    for scorer in (ndcg_at_8, mrr, context_precision, recall_at(1), recall_at(3)):
        before, after = score(scorer, *places), score(scorer, *lower)
        assert before is not None
        assert after is not None
        assert after <= before
