"""`What did you base that on?`: the characters that the last answer cited, opened again. No search, no model.

What the history says of them is only where to look: a client may have made it up. The quote comes from the snapshot,
and only if whoever asks may see the document now.
"""

import asyncio
import hashlib
import re
import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from app.answering import Answers, finished
from app.condensing import condensed
from app.pipeline import ChatPipeline
from app.types import (
    Action,
    ChatRequest,
    ChatResult,
    Citation,
    CitedSpan,
    Claim,
    ClaimVerified,
    Finished,
    Message,
    PassagesFound,
    Reason,
    TurnEvent,
    Usage,
)
from retrieval.errors import DocumentNotFound
from retrieval.reader import Reader
from retrieval.store.corpus import CorpusStore
from retrieval.types import Passage

PROVIDER = "cited sources"
GONE = "What that was based on is no longer stored here, or may not be shown to you."
MAX_QUOTE_CHARS = 4_000

_THAT = r"(?:that|this|your\s+(?:last\s+)?answer|the\s+answer|these|those)"
_SOURCES = r"(?:sources?|references?|citations?|evidence)"
_ASKS = re.compile(
    r"^\W*(?:(?:and|so|but|ok(?:ay)?|please)\b[\s,]*)?(?:"
    rf"(?:on\s+)?what\s+(?:did|do|are|were)\s+you\s+bas(?:e|ing)\s+(?:{_THAT}|it)(?:\s+on)?"
    rf"|what\s+(?:is|was)\s+{_THAT}\s+based\s+on"
    rf"|where\s+(?:did|do)\s+you\s+(?:get|find|read|take|have|see)\s+(?:{_THAT}|it)(?:\s+from)?"
    rf"|(?:what|which|where)\s+(?:is|are|was|were)\s+(?:your|the)\s+{_SOURCES}"
    rf"(?:\s+(?:for|of|behind)\s+(?:{_THAT}|it))?"
    rf"|how\s+do\s+you\s+know(?:\s+{_THAT})?"
    r"|says\s+who|according\s+to\s+(?:whom|what)"
    rf"|(?:(?:can|could|would|will)\s+you\s+(?:please\s+)?)?(?:show|give|cite|name|tell|list)\s+(?:me\s+)?"
    rf"(?:your|the)\s+{_SOURCES}(?:\s+(?:for|of|behind)\s+(?:{_THAT}|it))?"
    rf"|(?:your\s+)?{_SOURCES}(?:\s+please)?"
    r")\W*$",
    re.IGNORECASE,
)


def asks_for_basis(question: str) -> bool:
    """Whether a question is about where the last answer is from."""
    return _ASKS.match(question) is not None


@dataclass(frozen=True, slots=True)
class Conversing:
    """Answers in a conversation: its history within a bound, its last answer's sources when they are asked for."""

    inner: Answers
    pipeline: ChatPipeline
    """Whose turn it is on record."""
    store: CorpusStore
    reader: Reader
    max_tokens: int
    """Of a history."""

    async def events(self, request: ChatRequest) -> AsyncGenerator[TurnEvent]:
        """The turn. Where the last answer names no sources, its question is answered again, for what can be cited."""
        request = replace(request, history=condensed(request.history, self.max_tokens))
        answered = _last_answer(request.history) if asks_for_basis(request.question) else None
        if answered is not None and answered.cited:
            turn = self._based(request, answered.cited)
        else:
            turn = self.inner.events(_asked_before(request) if answered is not None else request)
        async with aclosing(turn) as events:
            async for event in events:
                yield event

    async def run(self, request: ChatRequest) -> ChatResult:
        """The result of the turn."""
        return await finished(self.events(request))

    async def _based(self, request: ChatRequest, cited: Sequence[CitedSpan]) -> AsyncGenerator[TurnEvent]:
        began = time.perf_counter()
        snapshot = request.scope.snapshot or cited[0].snapshot
        passages = await asyncio.to_thread(self.opened, request, [span for span in cited if span.snapshot == snapshot])
        yield PassagesFound(passages)
        claims: list[Claim] = []
        for passage in passages[: self.pipeline.settings.max_claims]:
            start = claims[-1].end + 1 if claims else 0
            quoted = Claim(passage.text, (_whole(passage),), 1.0, start=start, end=start + len(passage.text))
            claims.append(quoted)
            yield ClaimVerified(quoted)
        result = ChatResult(
            turn_id=uuid.uuid4().hex,
            question=request.question,
            answer=" ".join(claim.text for claim in claims) or GONE,
            abstained=not claims,
            action=Action.ANSWER if claims else Action.ABSTAIN,
            reason=Reason.ANSWERED if claims else Reason.NO_PASSAGES,
            claims=tuple(claims),
            dropped=(),
            passages=passages,
            corpus=request.corpus,
            snapshot=snapshot,
            provider=PROVIDER,
            usage=Usage(),
            timings_ms={"total": round((time.perf_counter() - began) * 1000, 3)},
            tenant=request.scope.access.tenant,
            cost_usd=0.0,
        )
        await self.pipeline.record(self.pipeline, request, result)
        yield Finished(result)

    def opened(self, request: ChatRequest, cited: Sequence[CitedSpan]) -> tuple[Passage, ...]:
        """The spans that are there and may be seen, each once; one whose words are not the ones cited is left out."""
        found: dict[tuple[str, int, int], Passage] = {}
        for span in cited:
            labels = self.store.labels(request.corpus, span.snapshot, {span.doc_id}).get(span.doc_id)
            if labels is None or not request.scope.admits(labels):
                continue
            try:
                _, version = self.store.version_in(span.doc_id, span.snapshot, request.scope.access)
                document = self.reader.document(span.doc_id, version)
            except DocumentNotFound:  # erased between the two
                continue
            quote = document.parsed.text[max(0, span.start) : span.end]
            if len(quote) != span.end - span.start or not 0 < len(quote) <= MAX_QUOTE_CHARS:
                continue
            if span.quote_sha256 and span.quote_sha256 != _sha256(quote):
                continue
            found[span.doc_id, span.start, span.end] = Passage(
                doc_id=span.doc_id,
                uri=document.uri,
                title=document.title,
                snapshot=span.snapshot,
                start=span.start,
                end=span.end,
                text=quote,
                page=document.page_at(span.start),
                section=document.section_at(span.start),
                score=1.0,
            )
        return tuple(found.values())


def cited_of(result: ChatResult) -> tuple[CitedSpan, ...]:
    """Where an answer says that it is from, each place once: what a history keeps of it."""
    citations = dict.fromkeys(citation for claim in result.claims for citation in claim.citations)
    return tuple(CitedSpan(c.doc_id, c.snapshot, c.start, c.end, c.quote_sha256) for c in citations)


def _last_answer(history: Sequence[Message]) -> Message | None:
    return next((message for message in reversed(history) if message.role == "assistant"), None)


def _asked_before(request: ChatRequest) -> ChatRequest:
    """The last question of the conversation that was about a subject, asked again."""
    for at in range(len(request.history) - 1, -1, -1):
        message = request.history[at]
        if message.role == "user" and not asks_for_basis(message.content):
            return replace(request, question=message.content, history=request.history[:at])
    return request


def _whole(passage: Passage) -> Citation:
    return Citation(
        doc_id=passage.doc_id,
        uri=passage.uri,
        title=passage.title,
        snapshot=passage.snapshot,
        start=passage.start,
        end=passage.end,
        quote=passage.text,
        quote_sha256=_sha256(passage.text),
        page=passage.page,
        section=passage.section,
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
