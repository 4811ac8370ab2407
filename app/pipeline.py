"""A chat turn: one straight line from the question to the verified answer."""

import logging
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from app.context import as_found
from app.conversation import Understand, weigh_history
from app.deciding.decide import Decider
from app.deciding.outcome import outcome
from app.errors import ProviderError
from app.grounding.verify import Grounding
from app.llm.port import DraftRequest, DraftText, Provider
from app.sentences import sentences
from app.settings import ChatSettings
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
    Usage,
)
from retrieval.search import Retriever
from retrieval.types import Found, Passage, Scope

_log = logging.getLogger(__name__)

Record = Callable[["ChatPipeline", ChatRequest, ChatResult], Awaitable[None]]
"""Keeps a turn: what answered, what was asked, what came of it."""
Highlight = Callable[[str, str], Awaitable[tuple[int, int] | None]]
"""Finds the part of a claim that answers a question."""
SecondLook = Callable[[Found, str, Scope], Awaitable[Found]]
"""Checks what a search found in a corpus against a scope, apart from the index."""


async def no_highlight(question: str, text: str) -> tuple[int, int] | None:
    """A `Highlight` that finds none."""
    return None


@dataclass(slots=True)
class _Draft:
    """What has come of a draft so far."""

    claims: list[Claim] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    dropped_why: list[str] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    failed: bool = False


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
    highlight: Highlight = no_highlight

    async def events(self, request: ChatRequest) -> AsyncGenerator[TurnEvent]:
        """Run one turn: `PassagesFound`, then a `ClaimVerified` for each claim, then `Finished`.

        Raises:
            CorpusNotFound: Nothing has been ingested into the corpus.
        """
        clock = _Clock()
        asked_for = await self.understand(request)
        clock.lap("understand")

        found = await self.retriever.search(asked_for.query, request.corpus, self.settings.passages, request.scope)
        found = await self.second_look(found, request.corpus, request.scope)
        found = await self.widen(found)
        clock.lap("retrieve")
        yield PassagesFound(found.passages)

        decision = await self.decider.decide(asked_for.question, request, found.passages)
        clock.lap("decide")
        may = found.passages if decision.answers else ()
        asked = DraftRequest(asked_for.question, request.history, may, self.max_tokens, reading=decision.reading)
        provider, draft = self.provider, _Draft(usage=asked_for.usage)
        async for claim in self._verified(provider, asked, draft):
            clock.since_start("first_claim")
            yield ClaimVerified(claim)
        if asked.passages and not draft.claims and provider is not self.fallback:
            provider = self.fallback
            async for claim in self._verified(provider, asked, draft):
                clock.since_start("first_claim")
                yield ClaimVerified(claim)
        clock.lap("answer")
        clock.since_start("total")

        said = outcome(decision, draft.claims, found.passages)
        result = ChatResult(
            turn_id=uuid.uuid4().hex,
            question=request.question,
            answer=said.answer,
            abstained=not draft.claims,
            action=said.action,
            confidence=round(decision.probability, 4),
            missing=said.missing,
            options=said.options,
            reason=self._reason(found, said.action, provider, draft),
            claims=tuple(draft.claims),
            dropped=tuple(draft.dropped),
            dropped_why=tuple(draft.dropped_why),
            passages=found.passages,
            corpus=request.corpus,
            snapshot=found.snapshot,
            provider=provider.name,
            usage=draft.usage,
            timings_ms=clock.timings_ms,
            tenant=request.scope.access.tenant,
        )
        await self.record(self, request, result)
        yield Finished(result)

    async def run(self, request: ChatRequest) -> ChatResult:
        """Drain `events` and return the result.

        Raises:
            CorpusNotFound: Nothing has been ingested into the corpus.
        """
        async with aclosing(self.events(request)) as events:
            async for event in events:
                if isinstance(event, Finished):
                    return event.result
        raise AssertionError("a turn ends with Finished")

    async def claims(self, provider: Provider, asked: DraftRequest) -> tuple[Claim, ...]:
        """What a provider's draft from these passages has to say that stands up against them."""
        return tuple([claim async for claim in self._verified(provider, asked, _Draft())])

    async def _verified(self, provider: Provider, asked: DraftRequest, draft: _Draft) -> AsyncGenerator[Claim]:
        """The claims of a draft that stand up against the passages, as soon as each sentence is complete."""
        if not asked.passages:
            return
        pending = ""
        try:
            async with aclosing(provider.draft(asked)) as parts:
                async for part in parts:
                    if not isinstance(part, DraftText):
                        draft.usage += part.usage
                        continue
                    complete, pending = _complete(pending + part.text)
                    for sentence in complete:
                        for claim in self._check(sentence, asked.passages, draft):
                            yield await self._highlighted(asked.question, claim, draft)
        except ProviderError as error:
            # What was verified before the model broke off still stands, its unfinished sentence does not.
            _log.warning("provider %s: %s", provider.name, error)
            draft.failed, pending = True, ""
        for sentence in _split(pending):
            for claim in self._check(sentence, asked.passages, draft):
                yield await self._highlighted(asked.question, claim, draft)

    async def _highlighted(self, question: str, claim: Claim, draft: _Draft) -> Claim:
        """The newest claim, with what in it answers."""
        draft.claims[-1] = replace(claim, highlight=await self.highlight(question, claim.text))
        return draft.claims[-1]

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

    def _reason(self, found: Found, action: Action, provider: Provider, draft: _Draft) -> Reason:
        if not found.passages:
            return Reason.NO_PASSAGES
        if action is Action.CLARIFY:
            return Reason.UNCLEAR
        if not draft.claims:
            return Reason.NOT_COVERED
        if draft.failed:
            return Reason.PROVIDER_FAILED
        return Reason.ANSWERED if provider is self.provider else Reason.FELL_BACK


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
