"""Search one snapshot: BM25 and vectors, fused and reranked, as passages with their score parts. Reading only."""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace

from retrieval.embedders.port import Embedder
from retrieval.errors import IndexOutdated
from retrieval.fusion import Fused, Hits, fuse
from retrieval.index.folder import IndexFolders, SnapshotIndex
from retrieval.rerankers.port import KeepOrder, Reranker
from retrieval.store.corpus import CorpusStore
from retrieval.types import Document, Found, Passage

BM25 = "bm25"
"""The name of the word index among the parts."""


class Reader:
    """Snapshots and documents kept open for searches. Immutable things only, so nothing here can be stale."""

    def __init__(self, store: CorpusStore, folders: IndexFolders, max_cached_chars: int = 20_000_000) -> None:
        self._store = store
        self._folders = folders
        self._open: dict[str, tuple[str, SnapshotIndex]] = {}
        self._documents: OrderedDict[tuple[str, str], Document] = OrderedDict()
        self._cached_chars = 0
        self._max_cached_chars = max_cached_chars
        self._lock = threading.Lock()

    def current(self, corpus: str) -> tuple[str, SnapshotIndex]:
        """The snapshot that serves, opened once and kept until another one serves.

        Raises:
            CorpusNotFound: Nothing has been ingested into the corpus.
        """
        active = self._store.active(corpus)
        with self._lock:
            known = self._open.get(corpus)
            if known is None or known[0] != active:
                try:
                    known = (active, self._folders.open(corpus, active))
                except OSError:  # another process may have moved on and removed it between our two steps
                    latest = self._store.active(corpus)
                    if latest == active:
                        raise
                    known = (latest, self._folders.open(corpus, latest))
                self._open[corpus] = known
        return known

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
class Retriever:
    """Finds passages: BM25 and every embedder, fused; then the reranker's second look. A value: variants are copies."""

    reader: Reader
    embedders: tuple[Embedder, ...]
    executor: Executor
    candidates: int = 100
    weights: Mapping[str, float] = field(default_factory=dict)
    """By part, "bm25" or an embedder's name; a part that is not named weighs 1, one that weighs 0 is not asked."""
    reranker: Reranker = field(default_factory=KeepOrder)

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

    async def search(self, query: str, corpus: str, k: int) -> Found:
        """The best `k` passages of the snapshot that serves, best first; models and index work off the event loop.

        Raises:
            CorpusNotFound: Nothing has been ingested into the corpus.
            IndexOutdated: It was ingested with other embedders.
        """
        return await asyncio.get_running_loop().run_in_executor(self.executor, self._search, query, corpus, k)

    def _search(self, query: str, corpus: str, k: int) -> Found:
        snapshot, index = self.reader.current(corpus)
        depth = max(k, self.candidates)
        for name in self.parts:
            if name != BM25 and name not in index.dense:
                raise IndexOutdated(corpus, f"vectors of {name}")
        hits = {name: self._hits(name, query, index, depth) for name in self.parts}
        fused = fuse(hits, {name: self.weights.get(name, 1.0) for name in hits})
        first = [self._passage(snapshot, index, found) for found in fused[: max(k, self.reranker.depth)]]
        return Found(snapshot, tuple(self.reranker.rerank(query, first)[:k]))

    def _hits(self, part: str, query: str, index: SnapshotIndex, depth: int) -> Hits:
        if part == BM25:
            return index.bm25.search(query, depth)
        embedder = next(embedder for embedder in self.embedders if embedder.name == part)
        return index.dense[part].search(embedder.embed_query(query), depth)

    def _passage(self, snapshot: str, index: SnapshotIndex, found: Fused) -> Passage:
        rows = index.rows
        document = self.reader.document(*rows.documents[rows.document[found.row]])
        start, end = int(rows.start[found.row]), int(rows.end[found.row])
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
