"""Indexes in Milvus: a cluster by its address, or one file by milvus-lite.

An index is three kinds of collections under one key, a hash of corpus and snapshot: one of vectors for each embedder,
one of words, one of what is said of both. A row of the catalogue, inserted last, makes it visible. Labels come in few
combinations: a row holds the number of its own, and a scope is decided here for each of them, so that a filter is
nothing but numbers.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.config import IndexSettings
from retrieval.embedders.port import Vectors
from retrieval.errors import IndexMissing, IndexOutdated, Unsupported
from retrieval.fusion import Hits
from retrieval.index.contents import IndexContents
from retrieval.index.milvus_rows import (
    MAX_LIMIT,
    SLACK,
    Collections,
    Words,
    dense_schema,
    fill_rows,
    lines,
    meta_schema,
    word_rows,
    words_schema,
)
from retrieval.index.milvus_server import CATALOGUE, EXACT, CollectionMissing, Server
from retrieval.index.port import ChunkPlace
from retrieval.types import SHARED, Labels, Scope

FORMAT = 1


@dataclass(frozen=True, slots=True)
class MilvusIndex:
    """A snapshot's collections, open for searching."""

    server: Server
    corpus: str
    snapshot: str
    embedders: Sequence[str]
    dimensions: Sequence[int]
    kinds: Sequence[Labels]
    words: Words

    def nearest(self, embedder: str, query: Vectors, k: int, scope: Scope) -> Hits:
        """The best `k` admitted rows by inner product.

        Raises:
            IndexMissing: It was removed since it was opened.
            StoreUnavailable: The server cannot be reached or took too long.
            Unsupported: More rows are asked for than Milvus gives at once.
            ValueError: The query has other dimensions.
        """
        number = list(self.embedders).index(embedder)
        if query.shape != (self.dimensions[number],):
            raise ValueError(
                f"the query vector has shape {query.shape}, the index {self.dimensions[number]} dimensions"
            )
        name = Collections.of(self.corpus, self.snapshot).dense(number)
        return self._search(name, query.astype(np.float32).tolist(), "vector", k, scope)

    def matching(self, words: Mapping[str, float], k: int, scope: Scope) -> Hits:
        """The best `k` admitted rows that hold one of the words, by Lucene's BM25; raises as `nearest` does."""
        asked: dict[int, float] = {}
        for tenant in dict.fromkeys((scope.access.tenant, SHARED)):
            asked |= self.words.weighted(tenant, words)
        if not asked:
            return _hits([], k)
        found = self._search(Collections.of(self.corpus, self.snapshot).words, asked, "words", k, scope)
        return Hits(found.rows[found.scores > 0], found.scores[found.scores > 0])

    def vectors(self, embedder: str, rows: Sequence[int]) -> Vectors:
        """The vectors of rows, (rows, dimensions), in their order; as many rows as Milvus gives at once."""
        name = Collections.of(self.corpus, self.snapshot).dense(list(self.embedders).index(embedder))
        wanted = [int(row) for row in rows]
        said = self._ask("query", collection_name=name, filter=f"row in {wanted}", output_fields=["row", "vector"])
        found = {int(row["row"]): row["vector"] for row in said}
        return np.array([found[row] for row in wanted], dtype=np.float32)

    def places(self, rows: Sequence[int]) -> list[ChunkPlace]:
        """Which chunk each of the rows is."""
        if not rows:
            return []
        name = Collections.of(self.corpus, self.snapshot).words
        fields = ["row", "doc_id", "version", "start", "end"]
        found: dict[int, ChunkPlace] = {}
        for first in range(0, len(rows), MAX_LIMIT):
            wanted = [int(row) for row in rows[first : first + MAX_LIMIT]]
            said = self._ask("query", collection_name=name, filter=f"row in {wanted}", output_fields=fields)
            found |= {r["row"]: (r["doc_id"], r["version"], int(r["start"]), int(r["end"])) for r in said}
        return [found[int(row)] for row in rows]

    def _search(self, name: str, asked: object, field: str, k: int, scope: Scope) -> Hits:
        admitted = [number for number, labels in enumerate(self.kinds) if scope.admits(labels)]
        if not admitted or k < 1:
            return _hits([], k)
        if k > MAX_LIMIT:
            raise Unsupported(f"Milvus gives at most {MAX_LIMIT} rows of a search. Ask for fewer.")
        found = self._ask(
            "search",
            collection_name=name,
            data=[asked],
            anns_field=field,
            limit=min(MAX_LIMIT, k + SLACK),
            filter="" if len(admitted) == len(self.kinds) else f"kind in {admitted}",
            search_params={"metric_type": "IP"},
            output_fields=["row"],
        )
        return _hits([(int(hit["row"]), float(hit["distance"])) for hit in found[0]], k)

    def _ask(self, call: str, **values: object) -> Any:
        try:
            return self.server.ask(call, **values)
        except CollectionMissing:
            raise IndexMissing(self.corpus, self.snapshot) from None


class MilvusIndexes:
    """The indexes on one server. Connects when it is first used."""

    def __init__(self, settings: IndexSettings, root: Path) -> None:
        """Does not connect yet. Without an address it is a file under `root`, by milvus-lite."""
        uri = settings.url.get_secret_value() if settings.url else str(root / "milvus.db")
        token = settings.token.get_secret_value() if settings.token else ""
        self._server = Server(uri, token, settings.timeout_s)

    def close(self) -> None:
        """Let go of the connection."""
        self._server.close()

    def holds(self, corpus: str, snapshot: str) -> bool:
        """Whether the catalogue names the snapshot's index: that comes last, so it is whole."""
        return self._known(corpus, snapshot) is not None

    def corpora(self) -> list[str]:
        """The names of the corpora that have an index here."""
        rows = self._server.every(CATALOGUE, ["corpus"])
        return sorted({str(row["corpus"]) for row in rows})

    def write(self, corpus: str, snapshot: str, contents: IndexContents) -> None:
        """Write the collections, and the catalogue's row last. One that is already there is whole.

        Raises:
            StoreUnavailable: The server cannot be reached.
            Unsupported: Something that Milvus cannot hold.
        """
        if self.holds(corpus, snapshot):
            return
        names, server = Collections.of(corpus, snapshot), self._server
        self._drop(names)  # what a write that was killed has left
        kinds = contents.rows.labels.kinds
        kind_of = contents.rows.labels.kind[contents.rows.document].tolist()
        vocabulary = Words.of(contents)
        for number, embedder in enumerate(sorted(contents.vectors)):
            vectors = contents.vectors[embedder]
            server.create(names.dense(number), dense_schema(vectors.shape[1]), "vector", EXACT)
            server.insert(names.dense(number), fill_rows(vectors, kind_of))
        server.create(names.words, words_schema(), "words", "SPARSE_INVERTED_INDEX")
        server.insert(names.words, word_rows(contents, vocabulary, kind_of))
        server.create(names.meta, meta_schema(), "none", EXACT)
        said = {"kinds": [asdict(labels) for labels in kinds], "words": vocabulary.told()}
        server.insert(names.meta, lines(said))
        embedders = sorted(contents.vectors)
        dimensions = [int(contents.vectors[name].shape[1]) for name in embedders]
        row = {"format": FORMAT, "rows": len(contents.rows), "embedders": embedders, "dimensions": dimensions}
        entry = {"key": names.key, "corpus": corpus, "snapshot": snapshot, "said": json.dumps(row), "none": [0.0, 0.0]}
        self._catalogue()
        server.ask("upsert", collection_name=CATALOGUE, data=[entry])

    def open(self, corpus: str, snapshot: str) -> MilvusIndex:
        """Open what `write` wrote.

        Raises:
            IndexMissing: There is none.
            IndexOutdated: Another version wrote it.
            StoreUnavailable: The server cannot be reached.
        """
        known = self._known(corpus, snapshot)
        if known is None:
            raise IndexMissing(corpus, snapshot)
        if known["format"] != FORMAT:
            raise IndexOutdated(corpus, f"collections of format {FORMAT}")
        try:
            rows = self._server.every(Collections.of(corpus, snapshot).meta, ["part", "text"])
        except CollectionMissing:
            raise IndexMissing(corpus, snapshot) from None
        said = json.loads("".join(row["text"] for row in sorted(rows, key=lambda row: row["part"])))
        kinds = tuple(Labels(k["tenant"], tuple(k["groups"]), k["attributes"]) for k in said["kinds"])
        return MilvusIndex(
            self._server,
            corpus,
            snapshot,
            tuple(known["embedders"]),
            tuple(known["dimensions"]),
            kinds,
            Words.read(said["words"]),
        )

    def replace(self, corpus: str, snapshot: str, contents: IndexContents) -> None:
        """Indexes on a server are rebuilt by its own means.

        Raises:
            Unsupported: Always.
        """
        raise Unsupported("Only indexes in folders are built anew. On a server, use its own commands, or ingest again.")

    def stamp(self, corpus: str, snapshot: str) -> str:
        """Always the same: nothing is replaced behind who has it open."""
        return snapshot

    def faults(self, corpus: str, snapshot: str) -> list[str]:
        """What is wrong with the index's collections: missing, or of another number of rows than was written."""
        known = self._known(corpus, snapshot)
        if known is None:
            return ["the index is missing"]
        names = Collections.of(corpus, snapshot)
        parts = {"words": names.words} | {e: names.dense(number) for number, e in enumerate(known["embedders"])}
        found = []
        for part, name in parts.items():
            try:
                counted = self._server.ask("query", collection_name=name, filter="", output_fields=["count(*)"])
            except CollectionMissing:
                found.append(f"the collection of {part} is missing")
            else:
                if counted[0]["count(*)"] != known["rows"]:
                    found.append(f"the collection of {part} holds another number of rows than was written")
        return found

    def keep_only(self, corpus: str, snapshots: Collection[str]) -> None:
        """Remove the indexes of the corpus's other snapshots: from the catalogue first, so none is ever half there."""
        for row in self._server.every(CATALOGUE, ["key", "corpus", "snapshot"]):
            if row["corpus"] == corpus and row["snapshot"] not in snapshots:
                self._server.ask("delete", collection_name=CATALOGUE, ids=[row["key"]])
                self._drop(Collections(row["key"]))

    def _known(self, corpus: str, snapshot: str) -> dict[str, Any] | None:
        self._catalogue()
        key = Collections.of(corpus, snapshot).key
        found = self._server.ask("get", collection_name=CATALOGUE, ids=[key], output_fields=["said"])
        return dict(json.loads(found[0]["said"])) if found else None

    def _catalogue(self) -> None:
        self._server.create_once(CATALOGUE)

    def _drop(self, names: Collections) -> None:
        for name in self._server.ask("list_collections"):
            if names.owns(name):
                self._server.ask("drop_collection", collection_name=name)


def _hits(found: Sequence[tuple[int, float]], k: int) -> Hits:
    """The best, ties to the lower row."""
    best = sorted(found, key=lambda hit: (-np.float32(hit[1]), hit[0]))[:k]
    return Hits(np.array([row for row, _ in best], np.int64), np.array([score for _, score in best], np.float32))
