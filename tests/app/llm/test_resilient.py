"""One layer tries again: within a budget, only before the first piece, never past time or money."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable
from dataclasses import replace

import pytest

from app.budget import Budget, Step
from app.costs import Price
from app.errors import ProviderBusy, ProviderError, ProviderRefused, ProviderTimeout
from app.llm.breaker import Breaker
from app.llm.counting import counted
from app.llm.port import DraftPart, DraftRequest, DraftText, DraftUsage
from app.llm.resilient import Backoff, Resilient, Target, affordable
from app.llm.retries import RetryBudget
from app.types import Usage
from tests.app.test_budget import Clock

from .upstream import a_request

Script = Iterable[str | float | Exception]
QUICK = Backoff(attempts=3, initial_s=0.001, max_s=0.05, jitter_s=0.0)


class Model:
    """Plays a script for each call: words are said, numbers waited, exceptions raised."""

    def __init__(self, name: str, *scripts: Script, usage: Usage | None = Usage(10, 2)) -> None:  # noqa: B008
        self.name = name
        self.scripts = list(scripts)
        self.usage = usage
        self.calls = 0
        self.open = 0

    @counted
    async def draft(self, request: DraftRequest) -> AsyncGenerator[DraftPart]:
        script = self.scripts[min(self.calls, len(self.scripts) - 1)]
        self.calls += 1
        self.open += 1
        try:
            for step in script:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, str):
                    yield DraftText(step)
                else:
                    await asyncio.sleep(step)
            if self.usage is not None:
                yield DraftUsage(self.usage)
        finally:
            self.open -= 1


def chain(*models: Model, spare: int = 100, backoff: Backoff = QUICK, **patience: float) -> Resilient:
    targets = [Target(model, breaker=Breaker(failures=3), **patience) for model in models]  # type: ignore[arg-type]
    return Resilient(targets, RetryBudget(spare=spare), backoff)


def asked(budget: Budget | None = None) -> DraftRequest:
    return replace(a_request("The warranty of the pump lasts 24 months."), budget=budget or Budget())


async def said(provider: Resilient, request: DraftRequest) -> str:
    return "".join([part.text async for part in provider.draft(request) if isinstance(part, DraftText)])


async def test_what_works_is_passed_on_as_it_is() -> None:
    model, request = Model("a", ["24 ", "months."]), asked()
    parts = [part async for part in chain(model).draft(request)]
    assert parts == [DraftText("24 "), DraftText("months."), DraftUsage(Usage(10, 2))]
    assert (len(request.budget.calls), request.budget.usage(), request.budget.degraded) == (1, Usage(10, 2), [])


async def test_a_failure_before_the_first_piece_is_tried_again() -> None:
    model, request = Model("a", [ProviderError("down")], [ProviderBusy("busy", 0.01)], ["yes"]), asked()
    assert await said(chain(model), request) == "yes"
    assert (model.calls, len(request.budget.calls)) == (3, 3)


async def test_a_failure_after_the_first_piece_is_not() -> None:
    model = Model("a", ["half ", ProviderError("broke off")], ["whole"])
    parts: list[str] = []
    with pytest.raises(ProviderError, match="broke off"):
        async for part in chain(model, Model("b", ["other"])).draft(asked()):
            parts.append(part.text if isinstance(part, DraftText) else "")
    assert (parts, model.calls) == (["half "], 1)


async def test_what_was_refused_is_not_asked_again_there() -> None:
    first, second, request = Model("a", [ProviderRefused("401")]), Model("b", ["yes"]), asked()
    assert await said(chain(first, second), request) == "yes"
    assert (first.calls, second.calls, request.budget.degraded) == (1, 1, [Step.SMALLER_MODEL])


async def test_without_earned_tokens_there_is_one_attempt_and_no_other_model() -> None:
    first, second = Model("a", [ProviderError("down")]), Model("b", ["yes"])
    with pytest.raises(ProviderError, match="down"):
        await said(chain(first, second, spare=0), asked())
    assert (first.calls, second.calls) == (1, 0)


async def test_good_calls_pay_for_later_retries() -> None:
    model = Model("a", *[["yes"]] * 10, [ProviderError("down")], ["again"])
    provider = chain(model, spare=0)
    for _ in range(10):
        await said(provider, asked())
    assert await said(provider, asked()) == "again"


async def test_a_model_that_keeps_failing_is_passed_over_for_free() -> None:
    first, second = Model("a", [ProviderError("down")]), Model("b", ["yes"])
    provider = chain(first, second, backoff=replace(QUICK, attempts=1))
    for _ in range(3):
        await said(provider, asked())
    request = asked()
    assert await said(provider, request) == "yes"
    assert (first.calls, len(request.budget.calls)) == (3, 1)


async def test_a_long_rest_that_the_server_asks_for_is_given_to_it() -> None:
    first, second = Model("a", [ProviderBusy("429", 30.0)]), Model("b", ["yes"])
    began = time.monotonic()
    assert await said(chain(first, second), asked()) == "yes"
    assert first.calls == 1 and time.monotonic() - began < 1


async def test_a_draft_that_does_not_begin_is_asked_for_elsewhere() -> None:
    first, second, request = Model("a", [5.0, "late"]), Model("b", ["yes"]), asked()
    provider = chain(first, second, first_token_s=0.05, backoff=replace(QUICK, attempts=1))
    assert await said(provider, request) == "yes"
    assert first.open == 0, "the call was let go"
    assert request.budget.usage_by_provider()["a"].prompt_tokens > 50, "its prompt is paid for"


async def test_a_draft_that_stalls_is_broken_off() -> None:
    model = Model("a", ["half ", 5.0, "late"])
    with pytest.raises(ProviderTimeout, match="nothing more within"):
        await said(chain(model, stall_s=0.05), asked())
    assert model.open == 0


async def test_the_deadline_bounds_every_wait_and_no_attempt_follows_it() -> None:
    model = Model("a", [5.0, "late"])
    provider = chain(model)
    began = time.monotonic()
    with pytest.raises(ProviderTimeout):
        await said(provider, asked(Budget(0.3, reserve_s=0.1)))
    assert model.calls == 1 and 0.1 < time.monotonic() - began < 0.3
    assert provider.targets[0].breaker.enter() and provider.targets[0].breaker._in_a_row == 0, "not the model's fault"
    with pytest.raises(ProviderError, match="out of time"):
        await said(provider, asked(Budget(0.3, reserve_s=0.3)))


PRICES = {"dear": Price(prompt=1000, completion=1000), "cheap": Price(prompt=1, completion=1)}


async def test_the_ceiling_is_looked_at_for_each_model() -> None:
    dear, cheap = Model("dear", ["dear"]), Model("cheap", ["cheap"])
    request = asked(Budget(max_cost_usd=0.01, prices=PRICES))
    assert affordable(chain(dear, cheap), request) and not affordable(chain(dear), request)
    assert await said(chain(dear, cheap), request) == "cheap"
    assert dear.calls == 0 and request.budget.cost_usd() == pytest.approx(12e-6)
    request = asked(Budget(max_cost_usd=0.0001, prices=PRICES))
    with pytest.raises(ProviderError, match="cannot afford"):
        await said(chain(dear, cheap), request)


async def test_closing_early_ends_the_call_and_charges_what_was_said() -> None:
    model, request = Model("a", ["one ", "two ", 5.0]), asked()
    draft = chain(model).draft(request)
    assert await anext(draft) == DraftText("one ")
    await draft.aclose()
    assert model.open == 0
    (call,) = request.budget.calls
    assert call.estimated and call.usage.completion_tokens == 2


async def test_a_cancelled_turn_ends_the_call_and_frees_the_probe() -> None:
    clock = Clock()
    model = Model("a", [5.0, "late"])
    breaker = Breaker(failures=1, open_s=1, clock=clock)
    breaker.enter()
    breaker.failed()
    clock.now += 2
    task = asyncio.create_task(said(Resilient([Target(model, breaker=breaker)]), asked()))
    await asyncio.sleep(0.05)
    assert model.open == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert model.open == 0 and breaker.enter()


async def test_usage_that_is_not_told_is_estimated() -> None:
    request = asked()
    await said(chain(Model("a", ["twenty-four months"], usage=None)), request)
    (call,) = request.budget.calls
    assert call.estimated and call.usage.prompt_tokens > 100 and 2 <= call.usage.completion_tokens <= 6
