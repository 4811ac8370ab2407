"""Metrics of a ranking, against values computed by hand, and what must hold for every ranking."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.bench.ranking import ndcg, recall, reciprocal_rank, reciprocal_rank_fusion

NAMES = st.sampled_from("abcdefgh")
RANKINGS = st.lists(NAMES, unique=True)
GRADES = st.dictionaries(NAMES, st.sampled_from([0.0, 1.0, 2.0, 3.0])).filter(lambda g: any(g.values()))
DEPTHS = st.integers(1, 10)
METRICS = (ndcg, recall, reciprocal_rank)


def test_ndcg_with_grades_is_the_value_computed_by_hand() -> None:
    # gains 0, 2, 1 over the ideal 2, 1
    expected = (2 / math.log2(3) + 1 / math.log2(4)) / (2 / math.log2(2) + 1 / math.log2(3))
    assert ndcg(["x", "a", "b"], {"a": 2, "b": 1, "c": 0}, 10) == pytest.approx(expected)
    assert ndcg(["x", "a", "b"], {"a": 2, "b": 1}, 2) == pytest.approx((2 / math.log2(3)) / (2 + 1 / math.log2(3)))


def test_ideal_ranking_is_cut_where_the_ranking_is() -> None:
    assert ndcg(["a"], {"a": 1, "b": 1, "c": 1}, 1) == 1.0


def test_recall_counts_relevant_documents_only() -> None:
    assert recall(["x", "a", "zero"], {"a": 1, "b": 3, "zero": 0}, 3) == 0.5
    assert recall(["x", "a"], {"a": 1}, 1) == 0.0


def test_reciprocal_rank_is_that_of_the_first_relevant_document() -> None:
    assert reciprocal_rank(["zero", "x", "a", "b"], {"zero": 0, "a": 1, "b": 2}, 10) == pytest.approx(1 / 3)
    assert reciprocal_rank(["x", "y", "a"], {"a": 1}, 2) == 0.0
    assert reciprocal_rank([], {"a": 1}, 10) == 0.0


@settings(deadline=None)  # a busy machine is no failure
@given(RANKINGS, GRADES, DEPTHS)
def test_every_metric_stays_between_zero_and_one(ranked: list[str], grades: dict[str, float], k: int) -> None:
    for metric in METRICS:
        assert 0.0 <= metric(ranked, grades, k) <= 1.0 + 1e-12


@settings(deadline=None)  # a busy machine is no failure
@given(GRADES, DEPTHS)
def test_the_ideal_ranking_is_worth_one(grades: dict[str, float], k: int) -> None:
    ideal = sorted(grades, key=lambda name: -grades[name])
    assert ndcg(ideal, grades, k) == pytest.approx(1.0)
    assert reciprocal_rank(ideal, grades, k) == 1.0
    assert recall(ideal, grades, len(ideal)) == 1.0


@settings(deadline=None)  # a busy machine is no failure
@given(RANKINGS, GRADES, DEPTHS, st.randoms())
def test_order_within_equal_grades_does_not_matter(ranked: list[str], grades: dict[str, float], k: int, rng) -> None:
    """Renaming documents of one grade among themselves changes nothing."""
    renamed = {}
    for grade in {grades.get(name, 0.0) for name in ranked}:
        same = [name for name in ranked if grades.get(name, 0.0) == grade]
        renamed |= dict(zip(same, rng.sample(same, len(same)), strict=True))
    for metric in (ndcg, reciprocal_rank):
        assert metric(ranked, grades, k) == pytest.approx(metric([renamed[name] for name in ranked], grades, k))


@settings(deadline=None)  # a busy machine is no failure
@given(RANKINGS, GRADES, DEPTHS)
def test_swapping_a_better_document_up_never_hurts(ranked: list[str], grades: dict[str, float], k: int) -> None:
    for i in range(len(ranked) - 1):
        if grades.get(ranked[i], 0.0) < grades.get(ranked[i + 1], 0.0):
            swapped = [*ranked[:i], ranked[i + 1], ranked[i], *ranked[i + 2 :]]
            for metric in METRICS:
                assert metric(swapped, grades, k) >= metric(ranked, grades, k) - 1e-12


def test_rrf_adds_what_each_rank_gives() -> None:
    # a: 1/61 + 1/63, b: 1/62, c: 1/61 + 1/63 (a was met first), d: 1/62
    assert reciprocal_rank_fusion([["a", "b", "c"], ["c", "d", "a"]]) == ["a", "c", "b", "d"]


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(RANKINGS, max_size=3))
def test_rrf_keeps_every_name_once(rankings: list[list[str]]) -> None:
    fused = reciprocal_rank_fusion(rankings)
    assert sorted(fused) == sorted({name for ranking in rankings for name in ranking})


@settings(deadline=None)  # a busy machine is no failure
@given(RANKINGS)
def test_rrf_of_one_ranking_is_that_ranking(ranked: list[str]) -> None:
    assert reciprocal_rank_fusion([ranked]) == ranked
    assert reciprocal_rank_fusion([ranked, ranked]) == ranked
