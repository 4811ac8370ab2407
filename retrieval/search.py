"""Search one snapshot: BM25 and vectors, fused, as passages with their score parts. Reading only."""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field

from retrieval.config import FusionWeights
from retrieval.embedders.port import Embedder
from retrieval.fusion import Fused, Hits, fuse
from retrieval.index.folder import IndexFolders, SnapshotIndex
from retrieval.store.corpus import CorpusStore
from retrieval.types import Document, Found, Passage


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
    """Finds passages. A value: `replace(retriever, weights=FusionWeights(dense=0))` is BM25 alone."""

    reader: Reader
    embedder: Embedder
    executor: Executor
    candidates: int = 100
    weights: FusionWeights = field(default_factory=FusionWeights)

    async def search(self, query: str, corpus: str, k: int) -> Found:
        """The best `k` passages of the snapshot that serves, best first; model and index work off the event loop.

        Raises:
            CorpusNotFound: Nothing has been ingested into the corpus.
        """
        return await asyncio.get_running_loop().run_in_executor(self.executor, self._search, query, corpus, k)

    def _search(self, query: str, corpus: str, k: int) -> Found:
        snapshot, index = self.reader.current(corpus)
        depth = max(k, self.candidates)
        searches: dict[str, Callable[[], Hits]] = {
            "bm25": lambda: index.bm25.search(query, depth),
            "dense": lambda: index.dense.search(self.embedder.embed_query(query), depth),
        }
        weights = {name: weight for name, weight in self.weights.model_dump().items() if weight > 0}
        fused = fuse({name: searches[name]() for name in weights}, weights)
        return Found(snapshot, tuple(self._passage(snapshot, index, found) for found in fused[:k]))

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
