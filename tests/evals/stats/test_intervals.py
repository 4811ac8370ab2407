"""Intervals behave, cover, and widen where cases come in groups."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.stats.intervals import estimate, unseen
from evals.stats.learning import MIN_GROUPS, learning_curve


@pytest.mark.parametrize("values", [[1.0], [0.0] * 9, [1.0] * 50])
def test_there_is_no_interval_where_the_cases_show_no_spread(values: list[float]) -> None:
    found = estimate(values)
    assert (found.low, found.high) == (None, None)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=2, max_size=60), st.integers(1, 7))
def test_an_interval_is_within_bounds_and_repeats(values: list[float], groups: int) -> None:
    names = [str(i % groups) for i in range(len(values))]
    found = estimate(values, names)
    assert found == estimate(values, names)
    assert found.mean == pytest.approx(np.mean(values))
    if found.low is not None and found.high is not None:
        assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    samples = (rng.random(40) < 0.7 for _ in range(200))
    found = [estimate(sample.astype(float).tolist()) for sample in samples]
    covered = sum(e.low is not None and e.high is not None and e.low <= 0.7 <= e.high for e in found)
    assert 0.88 <= covered / 200 <= 1.0


def test_cases_that_rise_and_fall_together_are_worth_fewer() -> None:
    values = [float(i % 20 < 10) for i in range(200)]
    alone = estimate(values)
    together = estimate(values, [str(i // 10) for i in range(200)])
    assert alone.low is not None
    assert together.low is not None
    assert together.low < alone.low - 0.05


def test_what_was_not_seen_may_still_happen() -> None:
    assert unseen(100) == pytest.approx(0.0362, abs=1e-4)  # 3.69 / 100, the rule of three at 97.5 % one-sided
    assert unseen(0) == 1.0
    assert (1 - unseen(37)) ** 37 == pytest.approx(0.025)


def test_a_learning_curve_ends_at_the_estimate_over_all_and_narrows() -> None:
    values = np.random.default_rng(5).random(400).round(2).tolist()
    groups = [str(i // 2) for i in range(400)]
    curve = learning_curve(values, groups)
    last = estimate(values, groups)
    assert (curve[-1].n, curve[-1].mean) == (400, pytest.approx(last.mean))
    assert [one.n for one in curve] == sorted({one.n for one in curve}) and all(one.n % 2 == 0 for one in curve)
    first, end = ((one.high or 0) - (one.low or 0) for one in (curve[0], curve[-1]))
    assert end < first / 2  # 40 times the groups; five groups alone are too few to know how wide they are


def test_there_is_no_learning_curve_over_too_few_groups() -> None:
    assert learning_curve([0.0, 1.0] * 20, [str(i % (MIN_GROUPS - 1)) for i in range(40)]) == []
    assert learning_curve([1.0] * 20, [str(i) for i in range(20)])[-1].low is None
