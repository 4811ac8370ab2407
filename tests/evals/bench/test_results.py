"""Intervals and samples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.bench.results import bootstrapped, mean, quantile, sampled


def test_a_mean_stands_inside_its_interval() -> None:
    values = [0.0] * 30 + [1.0] * 70
    score = mean(values, seed=1)
    assert score.value == pytest.approx(0.7) and score.n == 100
    assert 0.55 < score.low < 0.65 < 0.75 < score.high < 0.82  # the exact binomial interval is [0.60, 0.79]


def test_intervals_repeat_by_seed() -> None:
    values = list(np.random.default_rng(0).random(50))
    assert mean(values, seed=1) == mean(values, seed=1) != mean(values, seed=2)


def test_a_quantile_stands_inside_its_interval() -> None:
    values = list(np.random.default_rng(0).exponential(10, 400))
    score = quantile(values, 0.95, seed=0)
    assert score.value == pytest.approx(np.quantile(values, 0.95))
    assert score.low < score.value < score.high


@pytest.mark.parametrize("values", [[1.0], [0.5, 0.5, 0.5]])
def test_no_spread_gives_no_interval(values: list[float]) -> None:
    score = mean(values, seed=0)
    assert (score.value, score.low, score.high) == (values[0], None, None)


def test_nothing_measured_gives_no_value() -> None:
    assert mean([], seed=0).value is None
    assert bootstrapped(([1.0], []), lambda a, b: 1.0, 0, "BCa", vectorized=False).value is None


@settings(deadline=None)  # a busy machine is no failure
@given(st.integers(1, 60), st.integers(1, 80), st.integers(0, 5))
def test_samples_are_distinct_ordered_and_repeat_by_seed(count: int, limit: int, seed: int) -> None:
    rows = sampled(count, limit, seed)
    assert len(rows) == min(count, limit) and rows == sorted(set(rows)) and set(rows) <= set(range(count))
    assert rows == sampled(count, limit, seed)
    assert sampled(count, None, seed) == list(range(count))
