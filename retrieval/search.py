"""Search one snapshot: BM25 and vectors, fused and reranked, as passages with their score parts. Reading only."""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace

from retrieval.diversity import spread, without_duplicates
from retrieval.embedders.port import Embedder
from retrieval.errors import IndexMissing, IndexOutdated
from retrieval.fusion import Fused, Hits, fuse
from retrieval.index.port import ChunkPlace, IndexStore, SnapshotIndex
from retrieval.query import language, vector, weighted_words
from retrieval.rerankers.port import KeepOrder, Reranker
from retrieval.store.corpus import CorpusStore
from retrieval.types import OPEN, Document, Found, Passage, Query, Scope

BM25 = "bm25"
"""The name of the word index among the parts."""
SNAPSHOTS_OPEN = 2
"""Of each corpus: the one that serves, and one that is compared with it."""


class Reader:
    """Snapshots and documents kept open for searches. Immutable things only, so nothing here can be stale."""

    def __init__(self, store: CorpusStore, indexes: IndexStore, max_cached_chars: int = 20_000_000) -> None:
        self._store = store
        self._indexes = indexes
        self._open: dict[tuple[str, str], tuple[str, SnapshotIndex]] = {}
        self._documents: OrderedDict[tuple[str, str], Document] = OrderedDict()
        self._cached_chars = 0
        self._max_cached_chars = max_cached_chars
        self._lock = threading.Lock()
        self._reopening = threading.Lock()

    def current(self, corpus: str) -> tuple[str, SnapshotIndex]:
        """The snapshot that serves, opened once and kept until another one serves.

        Raises:
            CorpusNotFound: Nothing has been ingested into the corpus.
        """
        active = self._store.active(corpus)
        try:
            return active, self._opened(corpus, active)
        except (OSError, IndexMissing):  # another process may have moved on and removed it between our two steps
            latest = self._store.active(corpus)
            if latest == active:
                raise
            return latest, self._opened(corpus, latest)

    def at(self, corpus: str, snapshot: str | None) -> tuple[str, SnapshotIndex]:
        """A named snapshot, or the one that serves.

        Raises:
            CorpusNotFound: Nothing has been ingested into the corpus.
            SnapshotNotFound: It has no such snapshot.
            IndexMissing: The snapshot is known, its index was removed.
        """
        if snapshot is None:
            return self.current(corpus)
        return snapshot, self._opened(corpus, self._store.snapshot(corpus, snapshot).id)

    def _opened(self, corpus: str, snapshot: str) -> SnapshotIndex:
        key = (corpus, snapshot)
        stamp = self._indexes.stamp(corpus, snapshot)
        with self._lock:
            if key not in self._open:
                found = self._indexes.open(corpus, snapshot)
                kept = [known for known in self._open if known[0] == corpus][-SNAPSHOTS_OPEN + 1 :]
                self._open = {known: i for known, i in self._open.items() if known[0] != corpus or known in kept}
                self._open[key] = stamp, found
            self._open[key] = self._open.pop(key)  # the last one used stays longest
            opened_as, found = self._open[key]
        # Only one thread opens what was built anew; the others go on with what they have.
        if stamp and stamp != opened_as and self._reopening.acquire(blocking=False):
            try:
                found = self._indexes.open(corpus, snapshot)
                with self._lock:
                    self._open[key] = stamp, found
            finally:
                self._reopening.release()
        return found

    def document(self, doc_id: str, version: str) -> Document:
        """One document version, from memory where it was read lately."""
        key = (doc_id, version)
        with self._lock:
            if key in self._documents:
                self._documents.move_to_end(key)
                return self._documents[key]
        document = self._store.document(doc_id, version)
        with self._lock:
            if key not in self._documents:
                self._documents[key] = document
                self._cached_chars += len(document.parsed.text)
            while self._cached_chars > self._max_cached_chars and len(self._documents) > 1:
                _, dropped = self._documents.popitem(last=False)
                self._cached_chars -= len(dropped.parsed.text)
        return document


@dataclass(frozen=True, slots=True)
class Steps:
    """What each step of one search found, in order; `retrieval.explain` reads it, a search only the last one."""

    snapshot: str
    index: SnapshotIndex
    hits: Mapping[str, Hits]
    """By part, as the index gave them."""
    weights: Mapping[str, float]
    """By part, as they were fused; they need not sum to one."""
    fused: Sequence[Fused]
    first: Sequence[Passage]
    """The best of the first stage, without duplicates: what the reranker was shown."""
    reranked: Sequence[Passage]
    final: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Retriever:
    """Finds passages: BM25 and every embedder, fused; then the reranker's second look. A value: variants are copies."""

    reader: Reader
    embedders: tuple[Embedder, ...]
    executor: Executor
    """Where a search runs, off the event loop."""
    lookups: Executor
    """Where the index is asked about one vector while the next one is computed; other threads than the executor's."""
    candidates: int = 100
    weights: Mapping[str, float] = field(default_factory=dict)
    """By part, "bm25" or an embedder's name; a part that is not named weighs 1, one that weighs 0 is not asked."""
    reranker: Reranker = field(default_factory=KeepOrder)
    duplicate_similarity: float | None = None
    """From this Jaccard index of 5-word shingles on, a passage that repeats a better one is left out; None: never."""
    diversity: float = 0.0
    """How much likeness to better passages counts against a passage (MMR); 0: not at all."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the first stage that count."""
        names = (BM25, *(embedder.name for embedder in self.embedders))
        return tuple(name for name in names if self.weights.get(name, 1.0) > 0)

    def only(self, *parts: str) -> "Retriever":
        """This retriever with these parts of the first stage alone, without a second look."""
        others = dict.fromkeys(set(self.parts) - set(parts), 0.0)
        return replace(self, weights={**self.weights, **others}, reranker=KeepOrder())

    def warm_up(self) -> None:
        """Load the models.

        Raises:
            ModelMissing: Weights are absent or not the recorded ones.
        """
        for embedder in self.embedders:
            embedder.embed_query("warm up")
        self.reranker.warm_up()

    async def search(self, query: Query | str, corpus: str, k: int, scope: Scope = OPEN) -> Found:
        """The best `k` passages that `scope` admits, best first; models and index work off the event loop.

        Raises:
            CorpusNotFound: Nothing has been ingested into the corpus.
            SnapshotNotFound: The scope names a snapshot that the corpus does not have.
            IndexMissing: The snapshot is known, its index was removed.
            IndexOutdated: It was ingested with other embedders.
        """
        asked = Query(query) if isinstance(query, str) else query
        steps = await asyncio.get_running_loop().run_in_executor(self.executor, self.steps, asked, corpus, k, scope)
        return Found(steps.snapshot, steps.final)

    def steps(self, query: Query, corpus: str, k: int, scope: Scope) -> Steps:
        """Search, and keep what every step found. Raises as `search` does."""
        snapshot, index = self.reader.at(corpus, scope.snapshot)
        wanted = max(k, self.reranker.depth)
        hits = self._hits(query, index, corpus, max(k, self.candidates), scope)
        weights = {name: self.weights.get(name, 1.0) for name in hits}
        fused = fuse(hits, weights)
        first = self._distinct(snapshot, index, fused, wanted)
        reranked = self.reranker.rerank(query.text, first)
        final = tuple(spread(reranked, self.diversity)[:k])
        return Steps(snapshot, index, hits, weights, fused, first, reranked, final)

    def _hits(self, query: Query, index: SnapshotIndex, corpus: str, depth: int, scope: Scope) -> dict[str, Hits]:
        """What each part finds. Embedders that never learnt the question's language are asked if words find nothing."""
        found: dict[str, Hits] = {}
        if BM25 in self.parts:
            found[BM25] = index.matching(weighted_words(query), depth, scope)
        words_found = BM25 in found and len(found[BM25].rows) > 0
        spoken = language(query)
        asked: dict[str, Future[Hits]] = {}
        for embedder in self.embedders:
            if embedder.name not in self.parts:
                continue
            if embedder.name not in index.embedders:
                raise IndexOutdated(corpus, f"vectors of {embedder.name}")
            if not words_found or not embedder.languages or spoken in embedder.languages:
                asked_for = vector(query, embedder)
                asked[embedder.name] = self.lookups.submit(index.nearest, embedder.name, asked_for, depth, scope)
        return found | {name: hits.result() for name, hits in asked.items()}

    def _distinct(self, snapshot: str, index: SnapshotIndex, fused: Sequence[Fused], count: int) -> list[Passage]:
        """The best passages, `count` of them where there are as many that say different things."""
        taken: list[Passage] = []
        for start in range(0, len(fused), max(1, count)):
            batch = fused[start : start + max(1, count)]
            places = index.places([found.row for found in batch])
            taken += [self._passage(snapshot, *both) for both in zip(batch, places, strict=True)]
            taken = without_duplicates(taken, self.duplicate_similarity)
            if len(taken) >= count:
                break
        return taken[:count]

    def _passage(self, snapshot: str, found: Fused, place: ChunkPlace) -> Passage:
        doc_id, version, start, end = place
        document = self.reader.document(doc_id, version)
        return Passage(
            doc_id=document.doc_id,
            uri=document.uri,
            title=document.title,
            snapshot=snapshot,
            start=start,
            end=end,
            text=document.parsed.text[start:end],
            page=document.page_at(start),
            section=document.section_at(start),
            score=found.score,
            parts=found.parts,
            places=document.places(start, end),
        )
