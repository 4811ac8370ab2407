"""Indexes whose vectors lie in any vector store of LlamaIndex; words, labels and places lie in folders beside them.

The user's factory makes the store of each index and embedder. A node holds the number of its row and that of its
labels' combination, so a filter is a list of numbers, which every store with an IN filter understands.
"""

import importlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.config import IndexSettings
from retrieval.embedders.port import Vectors
from retrieval.errors import IndexMissing, Unsupported
from retrieval.fusion import Hits
from retrieval.index.contents import IndexContents
from retrieval.index.folder import FolderIndex, IndexFolders
from retrieval.index.port import ChunkPlace
from retrieval.types import Scope

if TYPE_CHECKING:
    from llama_index.core.vector_stores.types import BasePydanticVectorStore

Factory = Callable[[str, str, str], "BasePydanticVectorStore"]
"""(corpus, snapshot, embedder) to the store of that index; for the same names the same store, in every process."""
SLACK = 64
"""Asked for beyond `k`, so that among equal scores the lower rows can be taken."""
BATCH = 1_000


@dataclass(frozen=True, slots=True)
class LlamaIndex:
    """A snapshot, open for searching."""

    folder: FolderIndex
    stores: Mapping[str, "BasePydanticVectorStore"]
    dimensions: Mapping[str, int]

    @property
    def embedders(self) -> Collection[str]:
        """The names of the embedders whose vectors it holds."""
        return tuple(self.stores)

    def nearest(self, embedder: str, query: Vectors, k: int, scope: Scope) -> Hits:
        """The best `k` admitted rows by the store's similarity: of unit vectors the cosine is the inner product.

        Raises:
            Unsupported: The store cannot filter, or does not do it: nothing it found is given out then.
            ValueError: The query has other dimensions.
        """
        if query.shape != (self.dimensions[embedder],):
            wanted = self.dimensions[embedder]
            raise ValueError(f"the query vector has shape {query.shape}, the index holds {wanted} dimensions")
        kinds = self.folder.rows.labels.kinds
        admitted = [number for number, labels in enumerate(kinds) if scope.admits(labels)]
        if not admitted or k < 1 or not len(self.folder.rows):
            return Hits(np.empty(0, np.int64), np.empty(0, np.float32))
        try:
            found = self.stores[embedder].query(_query(query, k + SLACK, admitted))
        except NotImplementedError as error:
            raise Unsupported(f"This LlamaIndex store cannot filter: {type(error).__name__}.") from None
        rows = self.folder.rows
        if any(int(rows.labels.kind[rows.document[int(name)]]) not in admitted for name in found.ids or ()):
            raise Unsupported("This LlamaIndex store does not filter by IN: it found what the scope does not admit.")
        scored = zip(found.ids or (), found.similarities or (), strict=True)
        best = sorted(((int(name), np.float32(score)) for name, score in scored), key=lambda hit: (-hit[1], hit[0]))[:k]
        return Hits(np.array([row for row, _ in best], np.int64), np.array([score for _, score in best], np.float32))

    def matching(self, words: Mapping[str, float], k: int, scope: Scope) -> Hits:
        """The best `k` admitted rows that hold one of the words, as in folders."""
        return self.folder.matching(words, k, scope)

    def vectors(self, embedder: str, rows: Sequence[int]) -> None:
        """None: few stores give vectors back."""

    def places(self, rows: Sequence[int]) -> list[ChunkPlace]:
        """Which chunk each of the rows is."""
        return self.folder.places(rows)


class LlamaIndexes:
    """Indexes by a factory of LlamaIndex stores. An index is there when its folder is, which is written last."""

    def __init__(self, factory: Factory, root: Path) -> None:
        self._factory = factory
        self._folders = IndexFolders(root / "llama", IndexSettings())
        self._told = root / "llama-stores"

    @classmethod
    def named(cls, settings: IndexSettings, root: Path) -> "LlamaIndexes":
        """With the factory that the settings name.

        Raises:
            Unsupported: There is no such function.
        """
        module, _, name = settings.factory.partition(":")
        try:
            factory = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError):
            raise Unsupported(
                "retrieval.index.factory must be 'package.module:function': of corpus, snapshot and embedder it makes "
                "a LlamaIndex vector store."
            ) from None
        return cls(factory, root)

    def holds(self, corpus: str, snapshot: str) -> bool:
        """Whether a whole index of the snapshot is there."""
        return self._folders.holds(corpus, snapshot)

    def corpora(self) -> list[str]:
        """The names of the corpora that have an index here."""
        return self._folders.corpora()

    def stamp(self, corpus: str, snapshot: str) -> str:
        """What changes when an index is replaced: none is."""
        return self._folders.stamp(corpus, snapshot)

    def write(self, corpus: str, snapshot: str, contents: IndexContents) -> None:
        """Fill the stores, then write the folder that makes the index one."""
        if self.holds(corpus, snapshot):
            return
        for name, vectors in contents.vectors.items():
            store = self._factory(corpus, snapshot, name)
            _empty(store, len(contents.rows))
            kinds = contents.rows.labels.kind[contents.rows.document]
            for first in range(0, len(vectors), BATCH):
                store.add(_nodes(vectors, kinds, range(first, min(first + BATCH, len(vectors)))))
        self._tell(corpus, snapshot, {name: int(vectors.shape[1]) for name, vectors in contents.vectors.items()})
        self._folders.write(corpus, snapshot, IndexContents(contents.rows, {}, contents.words))

    def replace(self, corpus: str, snapshot: str, contents: IndexContents) -> None:
        """Stores are the user's: they are not rebuilt from here.

        Raises:
            Unsupported: Always.
        """
        raise Unsupported("Indexes in LlamaIndex stores are not built anew. Ingest into another corpus instead.")

    def open(self, corpus: str, snapshot: str) -> LlamaIndex:
        """Open what `write` wrote.

        Raises:
            IndexMissing: There is none.
            IndexOutdated: An earlier version wrote it.
        """
        folder = self._folders.open(corpus, snapshot)
        try:
            dimensions = json.loads(self._file(corpus, snapshot).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise IndexMissing(corpus, snapshot) from None
        return LlamaIndex(folder, {name: self._factory(corpus, snapshot, name) for name in dimensions}, dimensions)

    def faults(self, corpus: str, snapshot: str) -> list[str]:
        """What is wrong with the folder; `verify` asks the stores for every vector."""
        return self._folders.faults(corpus, snapshot)

    def keep_only(self, corpus: str, snapshots: Collection[str]) -> None:
        """Remove the indexes of the corpus's other snapshots: the folder first, then what lies in the stores."""
        gone = [path for path in (self._told / corpus).glob("*.json") if path.stem not in snapshots]
        self._folders.keep_only(corpus, snapshots)
        for path in gone:
            for name in json.loads(path.read_text(encoding="utf-8")):
                _empty(self._factory(corpus, path.stem, name), 0)
            path.unlink()

    def close(self) -> None:
        """The stores are the user's."""

    def _file(self, corpus: str, snapshot: str) -> Path:
        return self._told / corpus / f"{snapshot}.json"

    def _tell(self, corpus: str, snapshot: str, dimensions: Mapping[str, int]) -> None:
        path = self._file(corpus, snapshot)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".tmp")
        draft.write_text(json.dumps(dict(dimensions)), encoding="utf-8")
        draft.replace(path)


def _query(vector: Vectors, k: int, kinds: Sequence[int]) -> Any:
    from llama_index.core.vector_stores.types import FilterOperator, MetadataFilter, MetadataFilters, VectorStoreQuery

    only = MetadataFilters(filters=[MetadataFilter(key="kind", value=list(kinds), operator=FilterOperator.IN)])
    asked = [float(value) for value in vector]
    return VectorStoreQuery(query_embedding=asked, similarity_top_k=k, filters=only)


def _nodes(vectors: Vectors, kinds: Any, rows: Sequence[int]) -> list[Any]:
    from llama_index.core.schema import TextNode

    return [
        TextNode(id_=str(row), text="", metadata={"kind": int(kinds[row])}, embedding=[float(v) for v in vectors[row]])
        for row in rows
    ]


def _empty(store: "BasePydanticVectorStore", rows: int) -> None:
    """Take out what a write that was killed, or a removed snapshot, left; a store that cannot keeps it unseen."""
    with suppress(NotImplementedError):
        try:
            store.clear()
        except NotImplementedError:
            store.delete_nodes([str(row) for row in range(rows)])
