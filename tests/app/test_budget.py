"""What a turn may take, and what it has taken."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.budget import Budget, Step
from app.costs import Price
from app.types import Usage

PRICES = {"big": Price(prompt=10, completion=30), "small": Price(prompt=1, completion=2)}


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_time_runs_from_the_start_and_never_below_zero() -> None:
    clock = Clock()
    budget = Budget(10, reserve_s=2, clock=clock)
    assert (budget.left_s(), budget.model_s(), budget.share()) == (10, 8, 1)
    clock.now += 9
    assert (budget.left_s(), budget.model_s(), budget.share()) == (1, 0, 0.1)
    clock.now += 9
    assert (budget.left_s(), budget.model_s(), budget.share()) == (0, 0, 0)


def test_without_bounds_everything_is_allowed() -> None:
    budget = Budget()
    assert (budget.left_s(), budget.share()) == (math.inf, 1.0)
    assert budget.affords("unheard of", Usage(10**9, 10**9))


def test_a_step_is_counted_once() -> None:
    budget = Budget()
    for step in (Step.SKIP_RERANK, Step.EXTRACTIVE, Step.SKIP_RERANK):
        budget.degrade(step)
    assert budget.degraded == ["skip_rerank", "extractive"]


def test_usage_and_cost_are_told_by_provider() -> None:
    budget = Budget(prices=PRICES)
    for name, usage in (("big", Usage(100, 10)), ("small", Usage(1000, 100)), ("big", Usage(1, 1))):
        budget.begin(name).usage = usage
    assert budget.usage_by_provider() == {"big": Usage(101, 11), "small": Usage(1000, 100)}
    assert budget.usage() == Usage(1101, 111)
    assert budget.cost_usd() == pytest.approx((101 * 10 + 11 * 30 + 1000 + 200) / 1e6)
    budget.begin("unpriced").usage = Usage(1, 0)
    assert budget.cost_usd() is None


def test_what_has_no_price_fits_under_no_ceiling() -> None:
    budget = Budget(max_cost_usd=1000, prices=PRICES)
    assert budget.affords("big", Usage(10, 10)) and not budget.affords("unpriced", Usage(0, 1))
    budget.begin("unpriced").usage = Usage(1, 1)
    assert not budget.affords("big", Usage(10, 10))


@given(
    ceiling=st.floats(0, 0.1),
    calls=st.lists(st.tuples(st.sampled_from(sorted(PRICES)), st.integers(0, 5000), st.integers(0, 2000)), max_size=20),
)
def test_whoever_asks_first_never_spends_more_than_the_ceiling(
    ceiling: float, calls: list[tuple[str, int, int]]
) -> None:
    budget = Budget(max_cost_usd=ceiling, prices=PRICES)
    for name, prompt, completion in calls:
        if budget.affords(name, Usage(prompt, completion)):
            budget.begin(name).usage = Usage(prompt, completion // 2)
    assert (budget.cost_usd() or 0) <= ceiling + 1e-12
