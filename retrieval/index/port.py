"""The ports behind which every index stands. A row is a chunk's position in its snapshot."""

from pathlib import Path
from typing import Protocol

from retrieval.embedders.port import Vectors
from retrieval.fusion import Hits


class VectorIndex(Protocol):
    """Finds the rows whose vectors are nearest to a query vector."""

    def search(self, query: Vectors, k: int) -> Hits:
        """The best `k` rows by inner product; fewer where the index holds fewer."""
        ...

    def save(self, folder: Path) -> None:
        """Write the index into an existing folder."""
        ...


class TextIndex(Protocol):
    """Finds the rows whose words match a query."""

    def search(self, query: str, k: int) -> Hits:
        """The best `k` rows that share a word with the query."""
        ...

    def save(self, folder: Path) -> None:
        """Write the index into an existing folder."""
        ...
