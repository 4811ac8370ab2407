"""A chat turn: one straight line from the question to the verified answer."""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from app.budget import Budget, Step
from app.context import as_found
from app.conversation import Understand, Understood, weigh_history
from app.costs import Price
from app.errors import ProviderError, ProviderTimeout
from app.grounding.verify import Grounding
from app.ladder import Answerers, in_time, limits, reserve_s
from app.llm.port import DraftRequest, DraftText, Provider
from app.llm.short_circuit import ShortCircuit
from app.llm.waiting import next_part
from app.sentences import sentences
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
from retrieval.types import Found, Passage, Scope

ABSTENTION = "I don't know: the documents I have do not seem to answer this."

MAX_SENTENCE_CHARS = 2_000
"""A draft with a longer sentence is no prose; it is broken off."""

_log = logging.getLogger(__name__)

Record = Callable[["ChatPipeline", ChatRequest, ChatResult], Awaitable[None]]
"""Keeps a turn: what answered, what was asked, what came of it."""
SecondLook = Callable[[Found, str, Scope], Awaitable[Found]]
"""Checks what a search found in a corpus against a scope, apart from the index."""


@dataclass(slots=True)
class _Draft:
    """What has come of a draft so far."""

    claims: list[Claim] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    dropped_why: list[str] = field(default_factory=list)
    failed: bool = False
    """The model broke off, or was cut off."""
    late: bool = False
    """Even who answers without a model had no time left."""


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
    max_tokens: int = 400
    understand: Understand = weigh_history
    widen: Callable[[Found], Awaitable[Found]] = as_found
    smaller: Provider | None = None
    short_circuit: ShortCircuit | None = None
    prompt_tokens: int | None = None
    prices: Mapping[str, Price] = field(default_factory=dict)
    spending: Spending = unlimited

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

        asked = DraftRequest(
            asked_for.question,
            request.history,
            found.passages,
            self.max_tokens,
            prompt_tokens=self.prompt_tokens,
            budget=budget,
        )
        answerers = Answerers(self.provider, self.fallback, self.smaller, self.short_circuit)
        asked, plan = await answerers.plan(asked, self.settings.ladder)
        provider, draft = plan[0], _Draft()
        for provider in plan:
            async for claim in self._verified(provider, asked, draft):
                clock.since_start("first_claim")
                yield ClaimVerified(claim)
            if draft.claims:
                break
        self._count_steps(budget, provider, draft)
        clock.lap("answer")
        clock.since_start("total")

        result = ChatResult(
            turn_id=uuid.uuid4().hex,
            question=request.question,
            answer=" ".join(claim.text for claim in draft.claims) or ABSTENTION,
            abstained=not draft.claims,
            action=Action.ANSWER if draft.claims else Action.ABSTAIN,
            reason=self._reason(asked, plan, provider, draft),
            claims=tuple(draft.claims),
            dropped=tuple(draft.dropped),
            dropped_why=tuple(draft.dropped_why),
            passages=found.passages,
            corpus=request.corpus,
            snapshot=found.snapshot,
            provider=self._writer(provider, budget),
            usage=budget.usage(),
            timings_ms=clock.timings_ms,
            tenant=request.scope.access.tenant,
            degraded=tuple(budget.degraded),
            attempts=len(budget.calls),
            cost_usd=budget.cost_usd(),
            usage_by_provider=budget.usage_by_provider(),
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
        return tuple([claim async for claim in self._verified(provider, asked, _Draft())])

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

    async def _verified(self, provider: Provider, asked: DraftRequest, draft: _Draft) -> AsyncGenerator[Claim]:
        """The claims of a draft that stand up against the passages, as soon as each sentence is complete."""
        if not asked.passages:
            return
        pending = ""
        left_s = asked.budget.left_s if provider is self.fallback else asked.budget.model_s
        try:
            async with aclosing(provider.draft(asked)) as parts:
                while (part := await next_part(parts, left_s(), provider.name)) is not None:
                    if not isinstance(part, DraftText):
                        continue
                    complete, pending = _complete(pending + part.text)
                    if len(pending) > MAX_SENTENCE_CHARS:  # to look for its end again and again would take for ever
                        raise ProviderError(f"{provider.name}: a sentence of more than {MAX_SENTENCE_CHARS} characters")
                    for sentence in complete:
                        for claim in self._check(sentence, asked.passages, draft):
                            yield claim
                        await asyncio.sleep(0)  # a long draft must not hold up the other turns
                        if not left_s():
                            raise ProviderTimeout(f"{provider.name}: the turn is out of time")
        except ProviderError as error:
            # What was verified before the model broke off still stands, its unfinished sentence does not.
            _log.warning("provider %s: %s", provider.name, error)
            draft.failed, pending = True, ""
            draft.late = provider is self.fallback
        for sentence in _split(pending):
            for claim in self._check(sentence, asked.passages, draft):
                yield claim

    def _check(self, sentence: str, passages: Sequence[Passage], draft: _Draft) -> Iterator[Claim]:
        """The claims that a sentence comes to; what does not stand up is noted with the reason."""
        if len(draft.claims) >= self.settings.max_claims:
            return
        for finding in self.grounding.parts(sentence, passages):
            claim = finding.claim
            if claim is None:
                draft.dropped.append(finding.text)
                draft.dropped_why.append(f"{finding.verdict}: {finding.why}")
            elif claim.text not in (known.text for known in draft.claims):
                start = draft.claims[-1].end + 1 if draft.claims else 0  # a space between claims
                claim = replace(claim, start=start, end=start + len(claim.text))
                draft.claims.append(claim)
                yield claim

    def _reason(self, asked: DraftRequest, plan: Sequence[Provider], provider: Provider, draft: _Draft) -> Reason:
        if not draft.claims and (draft.late or not asked.budget.left_s()):
            return Reason.OUT_OF_TIME
        if not asked.passages:
            return Reason.NO_PASSAGES
        if not draft.claims:
            return Reason.NOT_COVERED
        if draft.failed:
            return Reason.PROVIDER_FAILED
        if provider is not self.fallback or self.provider is self.fallback:
            return Reason.ANSWERED
        return Reason.FELL_BACK if plan[-1] is self.fallback else Reason.CONFIDENT

    def _count_steps(self, budget: Budget, provider: Provider, draft: _Draft) -> None:
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


async def unrecorded(pipeline: ChatPipeline, asked: ChatRequest, result: ChatResult) -> None:
    """A `Record` for turns that are nobody's: baselines and replays."""


def _split(text: str) -> list[str]:
    return [text[span.start : span.end] for span in sentences(text)]


def _complete(text: str) -> tuple[list[str], str]:
    """The sentences of a growing text that more text can no longer change, and the rest.

    The last sentence of an unfinished line may still go on ("e.g." may follow), so it waits; finished lines do not.
    """
    head, newline, tail = text.rpartition("\n")
    spans = sentences(tail)
    cut = spans[-1].start if spans else len(tail)
    return _split(head + newline) + _split(tail[:cut]), tail[cut:]
