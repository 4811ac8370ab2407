"""BM25 with bm25s. The only door to bm25s."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import bm25s
import numpy as np

from retrieval.fusion import Hits
from retrieval.index.admission import Allowed

FOLDER = "bm25"
K1, B = 1.2, 0.5
"""Chunks are of nearly equal length: it says less about them than about the whole documents that b = .75 suits."""
logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets itself to DEBUG


class BM25Index:
    """Lucene's BM25. Which words a text has is not decided here."""

    def __init__(self, bm25: Any | None) -> None:
        self._bm25 = bm25

    @classmethod
    def build(cls, words: Sequence[Sequence[str]]) -> "BM25Index":
        """Index rows by their words. Rows without a single word make an index that finds nothing."""
        index = cls(None)
        if any(words):
            index._bm25 = bm25s.BM25(k1=K1, b=B)
            index._bm25.index([list(row) for row in words], show_progress=False)
        return index

    @classmethod
    def open(cls, folder: Path) -> "BM25Index":
        """Open what `save` wrote; it is mapped, not read."""
        path = folder / FOLDER
        return cls(bm25s.BM25.load(str(path), mmap=True) if path.is_dir() else None)

    def save(self, folder: Path) -> None:
        """Write into `folder`; the caller makes the folder durable and visible."""
        if self._bm25 is not None:
            self._bm25.save(str(folder / FOLDER), show_progress=False)

    def search(self, words: Mapping[str, float], k: int, allowed: Allowed) -> Hits:
        """The best `k` of the `allowed` rows that hold one of the words; each counts with its weight."""
        if self._bm25 is None or not words:
            return Hits(np.empty(0, np.int64), np.empty(0, np.float32))
        scores = np.zeros(len(allowed), dtype=np.float32)
        for weight in sorted(set(words.values())):
            of_weight = sorted(word for word, given in words.items() if given == weight)
            scores += np.float32(weight) * np.asarray(self._bm25.get_scores(of_weight), dtype=np.float32)
        if not allowed.everything:
            scores *= allowed.mask
        rows = np.flatnonzero(scores > 0)
        if len(rows) > k:
            rows = rows[np.argpartition(-scores[rows], k - 1)[:k]]
        rows = rows[np.lexsort((rows, -scores[rows]))]
        return Hits(rows.astype(np.int64), scores[rows])
