"""Further attempts are earned by calls that went well."""

from hypothesis import given
from hypothesis import strategies as st

from app.llm.retries import RetryBudget
from tests.app.test_budget import Clock


def test_ten_good_calls_pay_for_one_more() -> None:
    clock = Clock()
    budget = RetryBudget(ratio=0.1, window_s=60, spare=0, clock=clock)
    assert not budget.spend()
    for _ in range(10):
        budget.earn()
    assert budget.spend() and not budget.spend()
    clock.now += 61
    for _ in range(9):
        budget.earn()
    assert not budget.spend(), "what was earned long ago is gone"
    budget.earn()
    assert budget.spend()


def test_the_first_one_is_free() -> None:
    budget = RetryBudget(spare=1)
    assert budget.spend() and not budget.spend()


@given(
    steps=st.lists(st.tuples(st.sampled_from(["call", "fail"]), st.floats(0, 40)), max_size=400),
    ratio=st.sampled_from([0.0, 0.1, 0.25, 1.0]),
    spare=st.integers(0, 2),
)
def test_attempts_never_outgrow_the_calls(steps: list[tuple[str, float]], ratio: float, spare: int) -> None:
    clock = Clock()
    budget = RetryBudget(ratio, 60, spare, clock)
    attempts = 0
    for calls, (what, pause) in enumerate(steps, start=1):
        clock.now += pause
        attempts += 1
        if what == "call":
            budget.earn()
        elif budget.spend():
            attempts += 1
        assert attempts <= (1 + ratio) * calls + spare + 1e-6
