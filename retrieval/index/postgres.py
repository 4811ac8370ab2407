"""Indexes in a Postgres with pgvector, for several processes and machines. Doors to psycopg: this file and its parts.

A search is one statement: labels, vectors or words, and the order. Vectors are compared exactly by default. With
`graph_rows` a large index gets an HNSW graph too, which is asked only where a scope admits many rows, and which reads
on until enough of them are found: a filter loses nothing.
"""

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from psycopg import errors, sql
from psycopg.types.json import Jsonb

from retrieval.config import IndexSettings
from retrieval.embedders.port import Vectors
from retrieval.errors import IndexMissing, IndexOutdated, StoreUnavailable, Unsupported
from retrieval.fusion import Hits
from retrieval.index.bm25 import K1, B
from retrieval.index.contents import IndexContents
from retrieval.index.port import ChunkPlace
from retrieval.index.postgres_connections import Connection, Connections
from retrieval.index.postgres_filling import fill, has_graph, word_key
from retrieval.index.postgres_queries import admits, matching, nearest, places, vectors
from retrieval.index.postgres_tables import FORMAT, SCHEMA, Tables, checksums, make_schema
from retrieval.types import Scope

EXACT_ROWS = 20_000
"""Up to so many admitted rows, comparing each of them is as fast as a graph, and exact."""
WRITE_TIMEOUT, DROP_TIMEOUT = "1h", "10s"


@dataclass(frozen=True, slots=True)
class PostgresIndex:
    """A snapshot's tables. Nothing of them is held here, so opening it costs one look."""

    connections: Connections
    corpus: str
    snapshot: str
    embedders: tuple[str, ...]
    dimensions: tuple[int, ...]
    graphs: tuple[bool, ...]

    def nearest(self, embedder: str, query: Vectors, k: int, scope: Scope) -> Hits:
        """The best `k` admitted rows by inner product.

        Raises:
            IndexMissing: It was removed since it was opened.
            StoreUnavailable: The server cannot be reached or took too long.
        """
        number = self.embedders.index(embedder)
        if query.shape != (self.dimensions[number],):
            raise ValueError(f"the query has shape {query.shape}, the index holds {self.dimensions[number]} dimensions")
        values = {**admits(scope), "k": k, "exact": EXACT_ROWS, "query": np.ascontiguousarray(query, dtype=np.float32)}
        if self.graphs[number]:
            found = self._ask(nearest(self._tables, number, graph=True), values)
            if len(found) >= k:
                return _hits(found)
        return _hits(self._ask(nearest(self._tables, number, graph=False), values))

    def matching(self, words: Mapping[str, float], k: int, scope: Scope) -> Hits:
        """The best `k` admitted rows that hold one of the words, by Lucene's BM25.

        Raises:
            IndexMissing: It was removed since it was opened.
            StoreUnavailable: The server cannot be reached or took too long.
        """
        keys, weights = [word_key(word) for word in words], list(map(float, words.values()))
        values = {**admits(scope), "k": k, "words": keys, "weights": weights, "k1": K1, "b": B}
        return _hits(self._ask(matching(self._tables), values))

    def vectors(self, embedder: str, rows: Sequence[int]) -> Vectors:
        """The vectors of rows, (rows, dimensions), in their order."""
        query = vectors(self._tables, self.embedders.index(embedder))
        found = self._ask(query, {"rows": list(map(int, rows))})
        return np.array([vector.to_numpy() for (vector,) in found], dtype=np.float32)

    def places(self, rows: Sequence[int]) -> list[ChunkPlace]:
        """Which chunk each of the rows is."""
        found = self._ask(places(self._tables), {"rows": list(map(int, rows))})
        return [(str(doc_id), str(version), int(start), int(end)) for doc_id, version, start, end in found]

    @property
    def _tables(self) -> Tables:
        return Tables.of(self.corpus, self.snapshot)

    def _ask(self, query: sql.Composed, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        with self.connections.borrow() as connection:
            try:
                return connection.execute(query, values, binary=True).fetchall()
            except (errors.UndefinedTable, errors.InvalidSchemaName):
                raise IndexMissing(self.corpus, self.snapshot) from None


class PostgresIndexes:
    """The indexes in one database. Connects when it is first used."""

    def __init__(self, settings: IndexSettings) -> None:
        """Does not connect yet.

        Raises:
            StoreUnavailable: The settings name no database of Postgres.
        """
        if settings.url is None:
            raise StoreUnavailable("Which Postgres? Set retrieval.index.url or database_url.")
        self._connections = Connections(settings.url, settings.connections, settings.timeout_s)
        self._graph_rows = settings.graph_rows
        self._making, self._ready = threading.Lock(), False

    def close(self) -> None:
        """Let go of the connections."""
        self._connections.close()

    def holds(self, corpus: str, snapshot: str) -> bool:
        """Whether the snapshot's index is there: it came with the transaction that made it, so it is whole."""
        with self._borrow() as connection:
            return bool(_known(connection, corpus, snapshot))

    def corpora(self) -> list[str]:
        """The names of the corpora that have an index here."""
        with self._borrow() as connection:
            return sorted(
                str(name) for (name,) in connection.execute("SELECT DISTINCT corpus FROM assay_index.indexes")
            )

    def write(self, corpus: str, snapshot: str, contents: IndexContents) -> None:
        """Write the index in one transaction. One that is already there is whole; one of an older format is replaced.

        Raises:
            StoreUnavailable: The server cannot be reached.
            StorageFailed: Its disk is full or fails.
            Unsupported: Something that its tables cannot hold.
        """
        tables = Tables.of(corpus, snapshot)
        names = sorted(contents.vectors)
        with self._borrow() as connection, connection.transaction():
            connection.execute(f"SET LOCAL statement_timeout = '{WRITE_TIMEOUT}'")
            connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{SCHEMA} {tables.key}"])
            if _known(connection, corpus, snapshot):
                return
            _drop(connection, corpus, snapshot)
            graphs = [has_graph(contents.vectors[name], self._graph_rows) for name in names]
            fill(connection, tables, contents, graphs)
            dimensions = [contents.vectors[name].shape[1] for name in names]
            sums = checksums(connection, tables, len(names))
            connection.execute(
                "INSERT INTO assay_index.indexes (corpus, snapshot, format, embedders, dimensions, graphs, sums) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s)",
                [corpus, snapshot, FORMAT, names, dimensions, graphs, Jsonb(sums)],
            )

    def open(self, corpus: str, snapshot: str) -> PostgresIndex:
        """Open what `write` wrote.

        Raises:
            IndexMissing: There is none.
            IndexOutdated: Another version wrote it.
            StoreUnavailable: The server cannot be reached.
        """
        with self._borrow() as connection:
            row = connection.execute(
                "SELECT format, embedders, dimensions, graphs FROM assay_index.indexes "
                "WHERE corpus = %s AND snapshot = %s",
                [corpus, snapshot],
            ).fetchone()
        if row is None:
            raise IndexMissing(corpus, snapshot)
        if row[0] != FORMAT:
            raise IndexOutdated(corpus, f"tables of format {FORMAT}")
        return PostgresIndex(self._connections, corpus, snapshot, tuple(row[1]), tuple(row[2]), tuple(row[3]))

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
        """What is wrong with the index's tables: missing, or holding other rows than were written."""
        with self._borrow() as connection, connection.transaction():
            connection.execute(f"SET LOCAL statement_timeout = '{WRITE_TIMEOUT}'")
            if not (known := _known(connection, corpus, snapshot)):
                return ["the index is missing"]
            embedders, said = known
            there = checksums(connection, Tables.of(corpus, snapshot), embedders)
        return [
            f"the table {name} of the index {'holds other rows than were written' if name in there else 'is missing'}"
            for name, written in sorted(said.items())
            if there.get(name) != written
        ]

    def keep_only(self, corpus: str, snapshots: Collection[str]) -> None:
        """Remove the indexes of the corpus's other snapshots, each in a transaction of its own."""
        with self._borrow() as connection:
            query = "SELECT snapshot FROM assay_index.indexes WHERE corpus = %s AND snapshot <> ALL(%s)"
            gone = [str(name) for (name,) in connection.execute(query, [corpus, list(snapshots)])]
            for snapshot in gone:
                try:
                    with connection.transaction():
                        connection.execute(f"SET LOCAL lock_timeout = '{DROP_TIMEOUT}'")
                        _drop(connection, corpus, snapshot)
                except errors.LockNotAvailable:
                    continue  # somebody searches it or backs it up: it goes next time

    @contextmanager
    def _borrow(self) -> Iterator[Connection]:
        with self._making:  # the others wait: a connection from before pgvector was there would not know its vectors
            if not self._ready:
                with self._connections.borrow() as connection:
                    make_schema(connection)
                self._ready = True
        with self._connections.borrow() as connection:
            yield connection


def _known(connection: Connection, corpus: str, snapshot: str) -> tuple[int, dict[str, str]] | None:
    """How many embedders an index of this format has, and the hashes of its tables; None: it is not there."""
    row = connection.execute(
        "SELECT cardinality(embedders), sums FROM assay_index.indexes "
        "WHERE corpus = %s AND snapshot = %s AND format = %s",
        [corpus, snapshot, FORMAT],
    ).fetchone()
    return (int(row[0]), dict(row[1])) if row else None


def _drop(connection: Connection, corpus: str, snapshot: str) -> None:
    """Remove an index of any format: its row, and every table under its name."""
    connection.execute("DELETE FROM assay_index.indexes WHERE corpus = %s AND snapshot = %s", [corpus, snapshot])
    ending = f"_{Tables.of(corpus, snapshot).key}"
    query = "SELECT tablename FROM pg_tables WHERE schemaname = %s AND right(tablename, %s) = %s"
    tables = [str(name) for (name,) in connection.execute(query, [SCHEMA, len(ending), ending])]
    # Every search names the labels first: who holds them waits for no search, and no search for a part of it.
    for table in sorted(tables, key=lambda name: not name.startswith("labels")):
        connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(SCHEMA, table)))


def _hits(found: Sequence[tuple[Any, ...]]) -> Hits:
    return Hits(np.array([row for row, _ in found], np.int64), np.array([score for _, score in found], np.float32))
