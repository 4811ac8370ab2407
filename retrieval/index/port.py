"""The ports behind which every index stands. A row is a chunk's position in its snapshot."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from retrieval.embedders.port import Vectors
from retrieval.fusion import Hits
from retrieval.index.contents import IndexContents
from retrieval.types import Scope

ChunkPlace = tuple[str, str, int, int]
"""(doc_id, version, start, end) of a row."""


class SnapshotIndex(Protocol):
    """A snapshot, open for searching. What a scope does not admit is filtered inside, before the best `k` are taken.

    Documents of one tenant change no score and no rank of another's: not even the words' frequencies are shared.
    """

    @property
    def embedders(self) -> Collection[str]:
        """The names of the embedders whose vectors it holds."""
        ...

    def nearest(self, embedder: str, query: Vectors, k: int, scope: Scope) -> Hits:
        """The best `k` admitted rows by inner product with `query`, (dimensions,); fewer where there are fewer."""
        ...

    def matching(self, words: Mapping[str, float], k: int, scope: Scope) -> Hits:
        """The best `k` admitted rows that hold one of the words, each counted with its weight."""
        ...

    def vectors(self, embedder: str, rows: Sequence[int]) -> Vectors | None:
        """The vectors of rows, (rows, dimensions) float32, in their order; None where the index gives none back."""
        ...

    def places(self, rows: Sequence[int]) -> list[ChunkPlace]:
        """Which chunk each of the rows is."""
        ...


class IndexStore(Protocol):
    """Where the indexes of snapshots are kept."""

    def holds(self, corpus: str, snapshot: str) -> bool:
        """Whether a whole index of the snapshot is there."""
        ...

    def write(self, corpus: str, snapshot: str, contents: IndexContents) -> None:
        """Write an index: it is there whole afterwards, or, whatever happens meanwhile, not at all."""
        ...

    def replace(self, corpus: str, snapshot: str, contents: IndexContents) -> None:
        """Write the index of a snapshot anew; until it is whole the earlier one serves. Who has that open goes on."""
        ...

    def stamp(self, corpus: str, snapshot: str) -> str:
        """What `replace` changes: who has an index open under another stamp opens it again. "" where there is none."""
        ...

    def open(self, corpus: str, snapshot: str) -> SnapshotIndex:
        """Open what `write` wrote.

        Raises:
            IndexMissing: There is none.
            IndexOutdated: An earlier version wrote it.
        """
        ...

    def faults(self, corpus: str, snapshot: str) -> list[str]:
        """What is wrong with a stored index, one line each; a store that checks itself has nothing to say."""
        ...

    def corpora(self) -> list[str]:
        """The names of the corpora that have an index here."""
        ...

    def keep_only(self, corpus: str, snapshots: Collection[str]) -> None:
        """Remove the indexes of the corpus's other snapshots, and what a crash left half-written."""
        ...

    def close(self) -> None:
        """Let go of connections and files. Nothing of it is used afterwards."""
        ...
