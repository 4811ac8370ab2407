"""A model that keeps failing is left alone, and let in again by one call that goes well."""

from app.llm.breaker import Breaker
from tests.app.test_budget import Clock


def test_it_opens_after_failures_in_a_row_and_closes_after_a_probe() -> None:
    clock = Clock()
    breaker = Breaker(failures=2, open_s=10, clock=clock)
    for worked in (False, True, False, False):
        assert breaker.enter()
        breaker.worked() if worked else breaker.failed()
    assert breaker.is_open and not breaker.enter()
    clock.now += 10
    assert breaker.enter(), "one may try"
    assert not breaker.enter(), "but only one"
    breaker.worked()
    assert breaker.enter() and breaker.enter()


def test_a_probe_that_fails_opens_it_anew() -> None:
    clock = Clock()
    breaker = Breaker(failures=1, open_s=10, clock=clock)
    breaker.enter()
    breaker.failed()
    clock.now += 11
    assert breaker.enter()
    breaker.failed()
    clock.now += 9
    assert not breaker.enter()


def test_a_call_that_nobody_waited_for_says_nothing() -> None:
    clock = Clock()
    breaker = Breaker(failures=1, open_s=10, clock=clock)
    breaker.enter()
    breaker.failed()
    clock.now += 11
    assert breaker.enter()
    breaker.let_go()
    assert breaker.enter(), "another may try"
