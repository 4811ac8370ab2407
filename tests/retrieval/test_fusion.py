"""Fusion: bounded, order-free, and monotone in what each retriever says."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.fusion import Hits, fuse

SCORES = st.dictionaries(st.integers(0, 50), st.floats(-100, 100, width=32), max_size=20)


def hits(scores: dict[int, float]) -> Hits:
    rows = sorted(scores, key=lambda row: -scores[row])
    return Hits(np.array(rows, dtype=np.int64), np.array([scores[row] for row in rows], dtype=np.float32))


@given(SCORES, SCORES, st.floats(0.01, 1), st.floats(0.01, 1))
def test_fused_scores_are_bounded_sorted_and_complete(
    a: dict[int, float], b: dict[int, float], x: float, y: float
) -> None:
    fused = fuse({"a": hits(a), "b": hits(b)}, {"a": x, "b": y})
    assert {f.row for f in fused} == set(a) | set(b)
    assert all(0 <= f.score <= 1 for f in fused)
    assert [f.score for f in fused] == sorted((f.score for f in fused), reverse=True)
    for f in fused:
        assert f.parts == pytest.approx({n: s[f.row] for n, s in (("a", a), ("b", b)) if f.row in s})


@given(SCORES, SCORES)
def test_the_order_of_retrievers_does_not_matter(a: dict[int, float], b: dict[int, float]) -> None:
    one = fuse({"a": hits(a), "b": hits(b)}, {"a": 0.5, "b": 0.5})
    two = fuse({"b": hits(b), "a": hits(a)}, {"a": 0.5, "b": 0.5})
    assert [(f.row, f.score) for f in one] == [(f.row, f.score) for f in two]


@given(SCORES)
def test_one_retriever_alone_keeps_its_order(a: dict[int, float]) -> None:
    ranked = [f.row for f in fuse({"a": hits(a)}, {"a": 1.0})]
    values = [np.float32(a[row]) for row in ranked]
    assert all(x >= y or np.isclose(x, y, rtol=1e-6, atol=1e-4) for x, y in pairwise(values))


def test_best_in_both_beats_best_in_one() -> None:
    fused = fuse({"a": hits({1: 3, 2: 2, 3: 1}), "b": hits({1: 9, 3: 5, 2: 1})}, {"a": 0.5, "b": 0.5})
    assert fused[0].row == 1
    assert fused[0].score == 1.0


def test_weights_that_sum_to_zero_are_refused() -> None:
    with pytest.raises(ValueError, match="sum to zero"):
        fuse({"a": hits({1: 1.0})}, {"a": 0.0})
