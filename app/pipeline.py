"""A chat turn: one straight line from the question to the verified answer."""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from app.budget import Budget, Step
from app.context import as_found
from app.conversation import Understand, Understood, weigh_history
from app.costs import Price
from app.deciding.decide import Decider, Decision
from app.deciding.outcome import Outcome, outcome
from app.deciding.wording import topics
from app.drafting import Draft, Drafting, Highlight, no_highlight
from app.grounding.verify import Grounding
from app.ladder import Answerers, in_time, limits, reserve_s
from app.llm.port import DraftRequest, Provider
from app.llm.short_circuit import ShortCircuit
from app.settings import ChatSettings
from app.spending import Spending, unlimited
from app.types import (
    Action,
    ChatRequest,
    ChatResult,
    Claim,
    ClaimVerified,
    Finished,
    PassagesFound,
    Reason,
    TurnEvent,
)
from retrieval.search import Retriever
from retrieval.types import Found, Scope

_log = logging.getLogger(__name__)

Record = Callable[["ChatPipeline", ChatRequest, ChatResult], Awaitable[None]]
"""Keeps a turn: what answered, what was asked, what came of it."""
SecondLook = Callable[[Found, str, Scope], Awaitable[Found]]
"""Checks what a search found in a corpus against a scope, apart from the index."""


class _Clock:
    """Milliseconds since the turn began, by step."""

    def __init__(self) -> None:
        self._began = self._last = time.perf_counter()
        self.timings_ms: dict[str, float] = {}

    def lap(self, step: str) -> None:
        now = time.perf_counter()
        self.timings_ms[step] = round((now - self._last) * 1000, 3)
        self._last = now

    def since_start(self, mark: str) -> None:
        self.timings_ms.setdefault(mark, round((time.perf_counter() - self._began) * 1000, 3))


@dataclass(frozen=True, slots=True)
class ChatPipeline:
    """Retrieve, draft, verify. The HTTP routes, the CLI and the evals all drain `events`."""

    retriever: Retriever
    provider: Provider
    fallback: Provider
    grounding: Grounding
    record: Record
    settings: ChatSettings
    second_look: SecondLook
    decider: Decider
    max_tokens: int = 400
    understand: Understand = weigh_history
    widen: Callable[[Found], Awaitable[Found]] = as_found
    smaller: Provider | None = None
    short_circuit: ShortCircuit | None = None
    prompt_tokens: int | None = None
    prices: Mapping[str, Price] = field(default_factory=dict)
    spending: Spending = unlimited
    highlight: Highlight = no_highlight

    async def events(self, request: ChatRequest) -> AsyncGenerator[TurnEvent]:
        """Run one turn: `PassagesFound`, then a `ClaimVerified` for each claim, then `Finished`.

        Raises:
            CorpusNotFound: Nothing has been ingested into the corpus.
            BudgetSpent: The day's money is spent.
        """
        deadline_s, max_cost_usd = limits(request, self.settings)
        budget = Budget(deadline_s, max_cost_usd, self.prices, reserve_s(deadline_s, self.settings.ladder))
        async with self.spending(request, budget), aclosing(self._turn(request, budget)) as turn:
            async for event in turn:
                yield event

    async def _turn(self, request: ChatRequest, budget: Budget) -> AsyncGenerator[TurnEvent]:
        clock = _Clock()
        asked_for = await self.understand(request, budget)
        clock.lap("understand")

        found = await self._found(asked_for, request, budget)
        clock.lap("retrieve")
        yield PassagesFound(found.passages)

        decision = await self._decided(asked_for, request, found, budget)
        clock.lap("decide")
        asked = DraftRequest(
            asked_for.question,
            request.history,
            found.passages if decision.answers else (),
            self.max_tokens,
            prompt_tokens=self.prompt_tokens,
            budget=budget,
            reading=decision.reading,
        )
        answerers = Answerers(self.provider, self.fallback, self.smaller, self.short_circuit)
        asked, plan = answerers.plan(asked, self.settings.ladder, decision.probability)
        provider, draft = plan[0], Draft()
        for provider in plan:
            async for claim in self._drafting.claims(provider, asked, draft, last=provider is self.fallback):
                clock.since_start("first_claim")
                yield ClaimVerified(claim)
            if draft.claims:
                break
        self._count_steps(budget, provider, draft)
        clock.lap("answer")
        clock.since_start("total")

        said = outcome(decision, draft.claims, found.passages)
        result = replace(
            _result(request, found, said, draft, budget),
            confidence=round(decision.probability, 4),
            reason=self._reason(asked, found, said.action, (*plan, provider), draft),
            provider=self._writer(provider, budget),
            timings_ms=clock.timings_ms,
        )
        await self.record(self, request, result)
        yield Finished(result)

    async def run(self, request: ChatRequest) -> ChatResult:
        """Drain `events` and return the result.

        Raises:
            CorpusNotFound: Nothing has been ingested into the corpus.
            BudgetSpent: The day's money is spent.
        """
        async with aclosing(self.events(request)) as events:
            async for event in events:
                if isinstance(event, Finished):
                    return event.result
        raise AssertionError("a turn ends with Finished")

    async def claims(self, provider: Provider, asked: DraftRequest) -> tuple[Claim, ...]:
        """What a provider's draft from these passages has to say that stands up against them."""
        last = provider is self.fallback
        return tuple([claim async for claim in self._drafting.claims(provider, asked, Draft(), last=last)])

    @property
    def _drafting(self) -> Drafting:
        return Drafting(self.grounding, self.settings.max_claims, self.highlight)

    async def _found(self, asked_for: Understood, request: ChatRequest, budget: Budget) -> Found:
        """What the search finds in time."""
        retriever = in_time(self.retriever, budget, self.settings.ladder)
        deadline = asyncio.timeout(budget.left_s())
        try:
            async with deadline:
                found = await retriever.search(asked_for.query, request.corpus, self.settings.passages, request.scope)
                found = await self.second_look(found, request.corpus, request.scope)
                return await self.widen(found)
        except TimeoutError:
            if not deadline.expired():
                raise
            _log.warning("the search took longer than the turn may: %.1f s", budget.deadline_s)
            return Found(request.scope.snapshot or "", ())

    async def _decided(self, asked_for: Understood, request: ChatRequest, found: Found, budget: Budget) -> Decision:
        """What to do with the question; in time, or there is no answer."""
        deadline = asyncio.timeout(budget.left_s())
        try:
            async with deadline:
                return await self.decider.decide(asked_for.question, request, found.passages)
        except TimeoutError:
            if not deadline.expired():
                raise
            _log.warning("the decision took longer than the turn may: %.1f s", budget.deadline_s)
            return Decision(Action.ABSTAIN, 0.0, options=topics(found.passages))

    def _reason(
        self, asked: DraftRequest, found: Found, action: Action, plan: tuple[Provider, ...], draft: Draft
    ) -> Reason:
        """Why the answer is what it is; `plan` ends with who was asked last."""
        if draft.claims:
            *_, last, provider = plan
            if draft.failed:
                return Reason.PROVIDER_FAILED
            if provider is not self.fallback or self.provider is self.fallback:
                return Reason.ANSWERED
            return Reason.FELL_BACK if last is self.fallback else Reason.CONFIDENT
        if draft.late or not asked.budget.left_s():
            return Reason.OUT_OF_TIME
        if not found.passages:
            return Reason.NO_PASSAGES
        return Reason.UNCLEAR if action is Action.CLARIFY else Reason.NOT_COVERED

    def _count_steps(self, budget: Budget, provider: Provider, draft: Draft) -> None:
        """The last steps of the ladder, which are known when the draft is done."""
        if draft.failed and draft.claims and provider is not self.fallback:
            budget.degrade(Step.CUT_SHORT)
        if draft.failed and provider is self.fallback and self.provider is not self.fallback:
            budget.degrade(Step.EXTRACTIVE)
        if not draft.claims and (draft.late or Step.EXTRACTIVE in budget.degraded or not budget.left_s()):
            budget.degrade(Step.ABSTAIN)

    def _writer(self, provider: Provider, budget: Budget) -> str:
        """The name of what wrote the answer: of a chain, the model that did."""
        return provider.name if provider is self.fallback or not budget.calls else budget.calls[-1].provider


def _result(request: ChatRequest, found: Found, said: Outcome, draft: Draft, budget: Budget) -> ChatResult:
    """What was said and from what; who wrote it, why and how fast is for the turn to say."""
    return ChatResult(
        turn_id=uuid.uuid4().hex,
        question=request.question,
        answer=said.answer,
        abstained=not draft.claims,
        action=said.action,
        missing=said.missing,
        options=said.options,
        reason=Reason.ANSWERED,
        claims=tuple(draft.claims),
        dropped=tuple(draft.dropped),
        dropped_why=tuple(draft.dropped_why),
        passages=found.passages,
        corpus=request.corpus,
        snapshot=found.snapshot,
        provider="",
        usage=budget.usage(),
        tenant=request.scope.access.tenant,
        degraded=tuple(budget.degraded),
        attempts=len(budget.calls),
        cost_usd=budget.cost_usd(),
        usage_by_provider=budget.usage_by_provider(),
    )


async def unrecorded(pipeline: ChatPipeline, asked: ChatRequest, result: ChatResult) -> None:
    """A `Record` for turns that are nobody's: baselines and replays."""
