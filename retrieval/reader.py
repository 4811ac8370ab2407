"""Snapshots and documents, kept open for searches. Reading only."""

import threading
from collections import OrderedDict

from retrieval.errors import IndexMissing
from retrieval.index.port import IndexStore, SnapshotIndex
from retrieval.store.corpus import CorpusStore
from retrieval.types import Document

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
