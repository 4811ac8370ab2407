"""Answers given again: to the same question, or to one that means the same. Each is verified anew before it is said."""

import asyncio
import hashlib
import json
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal

import numpy as np

from app.answering import Answers, finished
from app.caching.agreement import agree
from app.caching.entries import Entry, cacheable, entry_of, read, written
from app.caching.learned import Learned
from app.pipeline import ChatPipeline
from app.store.cache import CacheBounds, CachedRow, CacheStore
from app.store.seal import Seal
from app.types import (
    ChatRequest,
    ChatResult,
    Claim,
    ClaimVerified,
    Finished,
    PassagesFound,
    TurnEvent,
    Usage,
    Verdict,
)
from guardrails.errors import GuardError
from retrieval.embedders.port import Vectors
from retrieval.errors import DocumentNotFound
from retrieval.store.corpus import CorpusStore
from retrieval.types import Found, Passage

NEWEST = 1_000
"""Questions of a scope that another one is compared with."""

_log = logging.getLogger(__name__)
Kind = Literal["exact", "semantic"]


@dataclass(frozen=True, slots=True)
class Hit:
    """An answer that may be given again, with the passages that it was verified against."""

    kind: Kind
    entry: Entry
    claims: tuple[Claim, ...]
    passages: tuple[Passage, ...]
    snapshot: str


@dataclass(frozen=True)
class Cached:
    """Answers from the cache where it can, else through `inner`.

    An answer is found by who asks (tenant, groups, filters), in the same corpus, snapshot and release. Its claims are
    verified against its own passages, read again under the scope; for another question's answer, against what a search
    for this question finds.
    """

    inner: Answers
    pipeline: ChatPipeline
    store: CacheStore
    corpora: CorpusStore
    seal: Seal
    bounds: CacheBounds
    policy: Callable[[], str]
    """Names all that decides an answer but documents: the release's id, what is taken for personal data."""
    personal: Callable[[str], bool]
    """Whether a text holds personal data; such a turn is not kept."""
    learned: Learned | None = None
    """None: only the same question hits."""

    @cached_property
    def _policy(self) -> str:
        return self.policy()

    async def events(self, request: ChatRequest) -> AsyncGenerator[TurnEvent]:
        """The turn; `Finished.result.cached` says whether it was said before."""
        began = time.perf_counter()
        pinned = request.scope.snapshot
        snapshot = pinned if pinned is not None else await asyncio.to_thread(self.corpora.active, request.corpus)
        key = self._scope(request, snapshot), self._asked(request)
        hit, vector = await self._exact(request, snapshot, key), None
        if hit is None and (vector := await self._vector(request)) is not None:
            hit = await self._semantic(request, snapshot, key[0], vector)
        if hit is None:
            async with aclosing(self.inner.events(request)) as events:
                async for event in events:
                    if isinstance(event, Finished) and event.result.snapshot == snapshot:
                        await self._keep(request, event.result, key, vector)
                    yield event
            return
        yield PassagesFound(hit.passages)
        for claim in hit.claims:
            yield ClaimVerified(claim)
        result = _result(request, hit, round((time.perf_counter() - began) * 1000, 3))
        await self.pipeline.record(self.pipeline, request, result)
        yield Finished(result)

    async def run(self, request: ChatRequest) -> ChatResult:
        """The result of the turn."""
        return await finished(self.events(request))

    async def _exact(self, request: ChatRequest, snapshot: str, key: tuple[str, str]) -> Hit | None:
        """The answer to this very question, against its own passages as the scope admits them now."""
        row = await asyncio.to_thread(self.store.get, *key, self._after())
        if row is None:
            return None
        entry = read(row.answer)
        passages = await asyncio.to_thread(self._passages, snapshot, entry)
        found = await self.pipeline.second_look(Found(snapshot, passages), request.corpus, request.scope)
        hit = await self._verified("exact", entry, found)
        if hit is None:
            await asyncio.to_thread(self.store.drop, [row.id])
        return hit

    async def _semantic(self, request: ChatRequest, snapshot: str, scope: str, vector: Vectors) -> Hit | None:
        """The answer to a question that means the same, against what a search for this one finds."""
        row = await asyncio.to_thread(self._alike, request, scope, vector)
        if row is None:
            return None
        pipeline = self.pipeline
        found = await pipeline.retriever.search(
            request.query, request.corpus, pipeline.settings.passages, request.scope
        )
        found = await pipeline.widen(await pipeline.second_look(found, request.corpus, request.scope))
        return await self._verified("semantic", read(row.answer), found) if found.snapshot == snapshot else None

    def _after(self) -> datetime:
        return datetime.now(UTC) - self.bounds.age

    def _alike(self, request: ChatRequest, scope: str, vector: Vectors) -> CachedRow | None:
        """The most alike question of those that agree word by word, if it is alike enough."""
        known = self.store.vectors(scope, self._after(), NEWEST)
        if self.learned is None or not known:
            return None
        cosines = np.frombuffer(b"".join(data for _, data in known), np.float32).reshape(len(known), -1) @ vector
        for at in np.argsort(-cosines)[:5]:
            if cosines[at] < self.learned.threshold:
                return None
            row = self.store.at(known[at][0])
            if row is not None and agree(row.question, request.question):
                return row
        return None

    def _passages(self, snapshot: str, entry: Entry) -> tuple[Passage, ...]:
        found = []
        for place in entry.places:
            try:
                _, version = self.corpora.version_in(place.doc_id, snapshot)
                document = self.pipeline.retriever.reader.document(place.doc_id, version)
            except DocumentNotFound:  # erased since; the claims that it carried fail
                continue
            found.append(
                Passage(
                    doc_id=place.doc_id,
                    uri=document.uri,
                    title=document.title,
                    snapshot=snapshot,
                    start=place.start,
                    end=place.end,
                    text=document.parsed.text[place.start : place.end],
                    page=document.page_at(place.start),
                    section=document.section_at(place.start),
                    score=place.score,
                    parts=place.parts,
                    places=document.places(place.start, place.end),
                )
            )
        return tuple(found)

    async def _verified(self, kind: Kind, entry: Entry, found: Found) -> Hit | None:
        """The hit, if every claim stands up against these passages."""
        claims = []
        for said in entry.claims:
            claim = await asyncio.to_thread(self.pipeline.grounding.verify, said.text, found.passages)
            if claim is None or claim.text != said.text or claim.verdict is not Verdict.SUPPORTED:
                return None
            claims.append(replace(claim, start=said.start, end=said.end, highlight=said.highlight))
        return Hit(kind, entry, tuple(claims), found.passages, found.snapshot)

    async def _keep(
        self, request: ChatRequest, result: ChatResult, key: tuple[str, str], vector: Vectors | None
    ) -> None:
        if not cacheable(result):
            return
        try:
            words = [request.question, *(message.content for message in request.history), result.answer]
            if any([await asyncio.to_thread(self.personal, text) for text in words]):
                return
        except GuardError as error:
            _log.warning("an answer is not cached: %s", error)
            return
        if (
            request.scope.snapshot is None
            and await asyncio.to_thread(self.corpora.active, request.corpus) != result.snapshot
        ):
            return  # what may have been taken out meanwhile must not be kept
        data = None if vector is None else vector.astype(np.float32).tobytes()
        kept = (request.question if data else "", data, written(entry_of(result)))
        await asyncio.to_thread(self.store.put, *key, kept, self.bounds)

    async def _vector(self, request: ChatRequest) -> Vectors | None:
        """The question's embedding, where another question's answer may do: not in a conversation."""
        if self.learned is None or request.history:
            return None
        retriever = self.pipeline.retriever
        embed = retriever.embedders[0].embed_query
        return await asyncio.get_running_loop().run_in_executor(retriever.executor, embed, request.question)

    def _scope(self, request: ChatRequest, snapshot: str) -> str:
        mode = asdict(self.learned) if self.learned else "exact"
        said = [asdict(request.scope), request.corpus, snapshot, self._policy, mode]
        return hashlib.sha256(json.dumps(said, sort_keys=True, default=_plain).encode()).hexdigest()

    def _asked(self, request: ChatRequest) -> str:
        """A keyed hash of question and history; white space does not count."""
        return self.seal.turn(" ".join(request.question.split()), request.history)


def _result(request: ChatRequest, hit: Hit, ms: float) -> ChatResult:
    return ChatResult(
        turn_id=uuid.uuid4().hex,
        question=request.question,
        answer=hit.entry.answer,
        abstained=False,
        reason=hit.entry.reason,
        claims=hit.claims,
        dropped=(),
        passages=hit.passages,
        corpus=request.corpus,
        snapshot=hit.snapshot,
        provider=hit.entry.provider,
        usage=Usage(),
        timings_ms={"cache": ms, "total": ms},
        tenant=request.scope.access.tenant,
        confidence=hit.entry.confidence,
        cost_usd=0.0,
        cached=hit.kind,
    )


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset | set) else repr(value)
