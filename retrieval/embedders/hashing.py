"""The fake embedder that ships: feature hashing of words and character trigrams. No weights, deterministic."""

import re
import zlib
from collections.abc import Sequence

import numpy as np

from retrieval.embedders.port import Vectors

_WORD = re.compile(r"\w+")


class HashingEmbedder:
    """Words and their trigrams hashed into signed buckets (Weinberger et al. 2009, "the hashing trick")."""

    name = "hashing"
    max_tokens = 256
    window_chars = 0
    languages: frozenset[str] = frozenset()

    def __init__(self, dimensions: int = 256) -> None:
        self.dimensions = dimensions
        self.fingerprint = f"hashing-{dimensions}-v1"
        self.embedded: list[str] = []
        """Every passage it was asked to embed: tests read here what an ingest embedded anew."""

    def count_tokens(self, text: str) -> int:
        """Words count as one token each."""
        return len(_WORD.findall(text))

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """(n, dimensions) float32, rows of length one; a text without words becomes the first unit vector."""
        self.embedded.extend(texts)
        return np.stack([self.embed_query(text) for text in texts]) if texts else np.empty((0, self.dimensions), "f4")

    def embed_query(self, text: str) -> Vectors:
        """(dimensions,) float32 of length one."""
        vector = np.zeros(self.dimensions, dtype=np.float32)
        for word in _WORD.findall(text.lower()):
            padded = f"<{word}>"
            for feature in (word, *(padded[i : i + 3] for i in range(len(padded) - 2))):
                digest = zlib.crc32(feature.encode())
                vector[digest % self.dimensions] += 1.0 if digest & 0x8000_0000 else -1.0
        norm = float(np.linalg.norm(vector))
        if norm == 0.0:
            vector[0] = norm = 1.0
        return vector / np.float32(norm)
