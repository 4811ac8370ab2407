"""The one layer that tries again: retries within a budget, circuit breakers, timeouts, and a chain of models.

Whatever goes wrong before the first piece of a draft was handed on may be tried again, at the same model or at the next
of the chain; after it, what was said stands and the error is the reader's to know. Time and money are looked at anew
before every attempt.
"""

import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import stamina

from app.budget import Step
from app.errors import ProviderBusy, ProviderError, ProviderRefused, ProviderTimeout
from app.llm.breaker import Breaker
from app.llm.counting import prompt_usage
from app.llm.port import DraftPart, DraftRequest, Provider
from app.llm.retries import RetryBudget
from app.llm.waiting import next_part

_log = logging.getLogger(__name__)

Opened = tuple[AsyncGenerator[DraftPart], DraftPart | None]
"""A draft and its first piece; None where it is empty."""

LEAST_S = 0.05
"""With less time than this left, a model is not asked."""


@dataclass(frozen=True, slots=True)
class Target:
    """A model of a chain with its own patience: seconds until the first piece of a draft, and between pieces."""

    provider: Provider
    first_token_s: float = 30.0
    stall_s: float = 15.0
    breaker: Breaker = field(default_factory=Breaker)


@dataclass(frozen=True, slots=True)
class Backoff:
    """How one model is tried again: `attempts` in all, after pauses that double from `initial_s`, with jitter."""

    attempts: int = 2
    initial_s: float = 0.1
    max_s: float = 2.0
    jitter_s: float = 0.1


@dataclass(frozen=True, slots=True)
class Resilient:
    """A chain of models as one provider: the first that may be asked and answers writes the draft."""

    targets: Sequence[Target]
    retries: RetryBudget = field(default_factory=RetryBudget)
    backoff: Backoff = field(default_factory=Backoff)

    @property
    def name(self) -> str:
        """Of the first model: what answers where all is well."""
        return self.targets[0].provider.name

    async def draft(self, request: DraftRequest) -> AsyncGenerator[DraftPart]:
        """Stream the draft of the first model that gives one; closing the iterator ends the call upstream.

        Raises:
            ProviderError: No model could be asked, or the last one that was asked failed.
        """
        failed: ProviderError | None = None
        asked = False
        for number, target in enumerate(self.targets):
            if why := _hindrance(target, request):
                failed = failed or ProviderError(f"{target.provider.name} was not asked: {why}")
                continue
            if asked and not self.retries.spend():  # another model is another attempt
                break
            asked = True
            try:
                parts, first = await self._opened(target, request)
            except ProviderError as error:
                _log.warning("%s", error)
                failed = error
                continue
            if number:
                request.budget.degrade(Step.SMALLER_MODEL)
            async with aclosing(_rest(target, request, parts, first)) as rest:
                async for part in rest:
                    yield part
            self.retries.earn()
            return
        raise failed or ProviderError("there is no model to ask")

    async def close(self) -> None:
        """Close what the models hold open."""
        for target in self.targets:
            close = getattr(target.provider, "close", None)
            if close is not None:
                await close()

    async def _opened(self, target: Target, request: DraftRequest) -> Opened:
        """A draft and its first piece, after as many attempts as pay off."""
        rules = self.backoff
        attempts = stamina.retry_context(
            on=self._again(target, request),
            attempts=rules.attempts,
            timeout=None,
            wait_initial=rules.initial_s,
            wait_max=rules.max_s,
            wait_jitter=rules.jitter_s,
        )
        async for attempt in attempts:
            with attempt:
                return await _first(target, request)
        raise AssertionError("the last attempt returns or raises")

    def _again(self, target: Target, request: DraftRequest) -> Callable[[Exception], bool | float]:
        """Whether another attempt pays off, and after which pause where the server names one."""
        tries = 0

        def again(error: Exception) -> bool | float:
            nonlocal tries
            tries += 1
            if tries >= self.backoff.attempts or not isinstance(error, ProviderError):
                return False
            if isinstance(error, ProviderRefused) or _hindrance(target, request):
                return False
            named = error.retry_after_s if isinstance(error, ProviderBusy) else None
            pause = self.backoff.initial_s if named is None else named
            # A server that wants a long rest gets it: the next model is asked in its place.
            if pause > self.backoff.max_s or pause >= request.budget.model_s() or not self.retries.spend():
                return False
            return True if named is None else named

        return again


def affordable(provider: Provider, request: DraftRequest) -> bool:
    """Whether the turn can pay the most that a draft may cost; of a chain, one of its models is enough."""
    if request.budget.max_cost_usd is None:
        return True
    most = prompt_usage(request)
    chain = provider.targets if isinstance(provider, Resilient) else ()
    names = [target.provider.name for target in chain] or [provider.name]
    return any(request.budget.affords(name, most) for name in names)


def _hindrance(target: Target, request: DraftRequest) -> str:
    """Why a model may not be asked now; empty where it may."""
    if request.budget.model_s() < LEAST_S:
        return "the turn is out of time"
    if target.breaker.is_open:
        return "it keeps failing (its circuit is open)"
    if not affordable(target.provider, request):
        return "the turn cannot afford it"
    return ""


async def _first(target: Target, request: DraftRequest) -> Opened:
    """One attempt, up to the first piece."""
    name = target.provider.name
    if not target.breaker.enter():
        raise ProviderBusy(f"{name}: its circuit is open")
    parts = target.provider.draft(request)
    try:
        return parts, await next_part(parts, min(target.first_token_s, request.budget.model_s()), name)
    except ProviderError as error:
        _judge(target, request, error)
        raise
    except BaseException:
        target.breaker.let_go()
        raise


async def _rest(
    target: Target, request: DraftRequest, parts: AsyncGenerator[DraftPart], part: DraftPart | None
) -> AsyncGenerator[DraftPart]:
    """A draft from its first piece on, as long as it does not stall."""
    async with aclosing(parts):
        try:
            while part is not None:
                yield part
                part = await next_part(parts, min(target.stall_s, request.budget.model_s()), target.provider.name)
        except ProviderError as error:
            _judge(target, request, error)
            raise
        except BaseException:
            target.breaker.let_go()
            raise
    target.breaker.worked()


def _judge(target: Target, request: DraftRequest, error: ProviderError) -> None:
    """Hold a failure against the model, unless it was the turn that had no time left for it."""
    if isinstance(error, ProviderTimeout) and request.budget.model_s() < LEAST_S:
        target.breaker.let_go()
    else:
        target.breaker.failed()
