"""The port behind which every embedder stands."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Turns text into unit vectors, so that an inner product is a cosine."""

    @property
    def name(self) -> str:
        """What its score is called in a passage's parts, and its weight in the settings."""
        ...

    @property
    def fingerprint(self) -> str:
        """Names weights and pooling. Part of every snapshot id: vectors of two fingerprints never mix."""
        ...

    @property
    def dimensions(self) -> int:
        """Of its vectors."""
        ...

    @property
    def max_tokens(self) -> int:
        """Longer texts are truncated by the model; the chunker keeps below it."""
        ...

    @property
    def window_chars(self) -> int:
        """It reads neighbouring chunks together, up to so many characters; 0: each chunk by itself."""
        ...

    @property
    def languages(self) -> frozenset[str]:
        """Those that it was trained on, by ISO 639-1 code; empty: it does not matter."""
        ...

    def count_tokens(self, text: str) -> int:
        """Tokens of `text` as the model counts them, without special tokens."""
        ...

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Embed texts to be found. Returns (n, dimensions) float32 with rows of length one."""
        ...

    def embed_query(self, text: str) -> Vectors:
        """Embed a question. Returns (dimensions,) float32 of length one."""
        ...
