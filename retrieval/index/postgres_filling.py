"""Fills the tables of an index in Postgres, by COPY and within the caller's transaction."""

import hashlib
import json
import math
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from retrieval.embedders.port import Vectors
from retrieval.errors import Unsupported
from retrieval.index.contents import IndexContents, Rows
from retrieval.index.postgres_connections import Connection
from retrieval.index.postgres_tables import COLUMNS, KEYS, Tables
from retrieval.types import Attribute, Labels

MAX_DIMENSIONS, MAX_IN_PAGE = 16_000, 2_000
"""Dimensions: pgvector's bound, and what fits into a page beside its row, which is also its bound for a graph."""


def fill(connection: Connection, tables: Tables, contents: IndexContents, graphs: Sequence[bool]) -> None:
    """Make and fill the tables of an index; the caller holds the transaction.

    Raises:
        Unsupported: Something that the tables cannot hold.
    """
    kinds, kind_of = _kinds(contents.rows)
    kind = kind_of[contents.rows.document] if len(contents.rows) else np.empty(0, np.int32)
    for name, columns in COLUMNS.items():
        connection.execute(sql.SQL(f"CREATE TABLE {{}} ({columns})").format(tables[name]))
    _copy(connection, tables["labels"], "int4 int4 text text[] jsonb", _label_rows(kinds, kind))
    _copy(connection, tables["chunks"], "int4 int4 text text int4 int4", _chunk_rows(contents.rows, kind))
    spans = list(contents.rows.tenants())
    words = [contents.words[first:after] for _, first, after in spans]
    _copy(
        connection,
        tables["tenants"],
        "int4 text int4 float8",
        (
            (number, escaped(tenant), after - first, sum(map(len, words[number])) / (after - first))
            for number, (tenant, first, after) in enumerate(spans)
        ),
    )
    word_rows = (
        (number, *row) for number, (_, first, _) in enumerate(spans) for row in _postings(words[number], first, kind)
    )
    _copy(connection, tables["words"], "int4 bytea int4[] int4[] int4[] int4[]", word_rows)
    for name, columns in KEYS.items():
        connection.execute(sql.SQL(f"ALTER TABLE {{}} ADD PRIMARY KEY ({columns})").format(tables[name]))
    for number, name in enumerate(sorted(contents.vectors)):
        _fill_vectors(connection, tables.vectors(number), contents.vectors[name], kind, graph=graphs[number])
    for table in tables.all(len(contents.vectors)):
        connection.execute(sql.SQL("ANALYZE {}").format(table))


def has_graph(vectors: Vectors, graph_rows: int | None) -> bool:
    """Whether vectors (n, dimensions) get a graph beside the exact scan."""
    return graph_rows is not None and len(vectors) >= graph_rows and vectors.shape[1] <= MAX_IN_PAGE


def word_key(word: str) -> bytes:
    """What a word is kept under: its hash, so that any word of any length can be a key."""
    return hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def escaped(text: str) -> str:
    """A text of a label as Postgres can hold it, NUL characters too; no two texts become one."""
    return text.replace("\\", "\\\\").replace("\0", "\\0")


def plain(attributes: Mapping[str, Attribute]) -> dict[str, Attribute]:
    """Attributes as JSON can say them.

    Raises:
        Unsupported: A number is not finite.
    """
    for name, value in attributes.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise Unsupported(f"Postgres cannot hold the attribute '{name}': it is no finite number.")
    return {escaped(name): escaped(v) if isinstance(v, str) else v for name, v in attributes.items()}


def _kinds(rows: Rows) -> tuple[list[Labels], NDArray[np.int32]]:
    """Each combination of labels once, and by document which one it has: (documents,) int32."""
    known: dict[tuple[str, tuple[str, ...], str], int] = {}
    kinds: list[Labels] = []
    of = []
    for labels in rows.labels:
        key = (labels.tenant, labels.groups, json.dumps(dict(labels.attributes), sort_keys=True))
        if key not in known:
            known[key] = len(kinds)
            kinds.append(labels)
        of.append(known[key])
    return kinds, np.array(of, dtype=np.int32)


def _label_rows(kinds: Sequence[Labels], kind: NDArray[np.int32]) -> Iterator[tuple[object, ...]]:
    counts = np.bincount(kind, minlength=len(kinds)).tolist()
    for number, labels in enumerate(kinds):
        groups = [escaped(group) for group in labels.groups]
        yield number, counts[number], escaped(labels.tenant), groups, plain(labels.attributes)


def _chunk_rows(rows: Rows, kind: NDArray[np.int32]) -> Iterator[tuple[object, ...]]:
    columns = zip(rows.document.tolist(), kind.tolist(), rows.start.tolist(), rows.end.tolist(), strict=True)
    for row, (document, of_kind, start, end) in enumerate(columns):
        yield row, of_kind, *rows.documents[document], start, end


def _postings(
    words: Sequence[Sequence[str]], first: int, kind: NDArray[np.int32]
) -> Iterator[tuple[bytes, list[int], list[int], list[int], list[int]]]:
    """Of one tenant, whose rows begin at `first`: each word's key, rows, counts, lengths of the rows, and labels."""
    held: dict[str, tuple[array[int], array[int]]] = {}
    for row, text in enumerate(words, start=first):
        for word, count in Counter(text).items():
            rows, counts = held.setdefault(word, (array("i"), array("i")))
            rows.append(row)
            counts.append(count)
    lengths = np.fromiter(map(len, words), dtype=np.int32, count=len(words))
    for word, (rows, counts) in held.items():
        at = np.array(rows)
        yield word_key(word), rows.tolist(), counts.tolist(), lengths[at - first].tolist(), kind[at].tolist()


def _fill_vectors(
    connection: Connection, table: sql.Identifier, vectors: Vectors, kind: NDArray[np.int32], *, graph: bool
) -> None:
    dimensions = vectors.shape[1]
    if dimensions > MAX_DIMENSIONS:
        raise Unsupported(f"Postgres cannot hold vectors of {dimensions} dimensions, only up to {MAX_DIMENSIONS}.")
    # In the page, a scan reads them in order; pgvector would move them out of it, for two reads each.
    storage = "PLAIN" if dimensions <= MAX_IN_PAGE else "EXTERNAL"
    columns = f"row int, kind int, vector vector({dimensions}) STORAGE {storage}"
    connection.execute(sql.SQL(f"CREATE TABLE {{}} ({columns})").format(table))
    rows = ((row, int(of_kind), vectors[row]) for row, of_kind in enumerate(kind))
    _copy(connection, table, "int4 int4 vector", rows)
    connection.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY (row)").format(table))
    connection.execute(sql.SQL("CREATE INDEX ON {} (kind)").format(table))
    if graph:
        connection.execute(sql.SQL("CREATE INDEX ON {} USING hnsw (vector vector_ip_ops)").format(table))


def _copy(connection: Connection, table: sql.Identifier, types: str, rows: Iterable[tuple[object, ...]]) -> None:
    statement = sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(table)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(types.split())
        for row in rows:
            copy.write_row(row)
