"""The tables of an index in Postgres: their names, what all indexes share, and a hash over what each holds.

Each index has tables of its own, named after its corpus and snapshot: a search reads no other's rows, a removed index
leaves nothing to clean up, and one that is made again has the same name for whoever has it open.

    labels    each combination of labels once: tenant, groups, attributes
    tenants   what BM25 knows of a tenant: its rows and their mean number of words
    chunks    which chunk a row is, and its labels
    words     for each tenant and word: the rows that hold it, how often, how many words each has, and its labels
    vectors   one table for each embedder: row, labels, vector
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from pgvector.psycopg import register_vector
from psycopg import sql

from retrieval.errors import StoreUnavailable
from retrieval.index.postgres_connections import Connection

SCHEMA = "assay_index"
FORMAT = 1
"""Of the tables. An index of another format is no index: it is written anew."""
LOCK = 5_418_206_871
"""Of Postgres' advisory locks, the one under which the schema is made."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The names of the tables of one index."""

    key: str

    @classmethod
    def of(cls, corpus: str, snapshot: str) -> "Tables":
        """Those of a snapshot's index."""
        return cls(hashlib.blake2b(f"{corpus}\0{snapshot}".encode(), digest_size=12).hexdigest())

    def __getitem__(self, kind: str) -> sql.Identifier:
        return sql.Identifier(SCHEMA, f"{kind}_{self.key}")

    def vectors(self, number: int) -> sql.Identifier:
        """Of the embedder at a position."""
        return self[f"vectors{number}"]

    def all(self, embedders: int) -> list[sql.Identifier]:
        """Every table of an index with so many embedders."""
        return [*(self[kind] for kind in COLUMNS), *(self.vectors(i) for i in range(embedders))]


COLUMNS: Mapping[str, str] = {
    "labels": 'kind int, rows int, tenant text COLLATE "C", groups text[] COLLATE "C", attributes jsonb',
    "tenants": 'number int, tenant text COLLATE "C", rows int, mean_words float8',
    "chunks": 'row int, kind int, doc_id text, version text, start int, "end" int',
    "words": "tenant int, word bytea, rows int[], counts int[], lengths int[], kinds int[]",
}
KEYS = {"labels": "kind", "tenants": "number", "chunks": "row", "words": "tenant, word"}
_HASHED = {
    "labels": "ROW(t.kind, t.rows, t.tenant, t.groups, t.attributes::text)",
    "tenants": "ROW(t.*)",
    "chunks": "ROW(t.*)",
    "words": "ROW(t.*)",
    "vectors": "ROW(t.row, t.kind, vector_send(t.vector))",
}


def make_schema(connection: Connection) -> None:
    """Make what all indexes share, where it is not there; several processes may do so at once.

    Raises:
        StoreUnavailable: pgvector is too old, or a newer version of this program made the schema.
    """
    if connection.execute("SELECT to_regclass(%s)", [f"{SCHEMA}.indexes"]).fetchone() == (None,):
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS {SCHEMA}.indexes (corpus text, snapshot text, format int NOT NULL, "
                "embedders text[] NOT NULL, dimensions int[] NOT NULL, graphs bool[] NOT NULL, sums jsonb NOT NULL, "
                "created timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (corpus, snapshot))"
            )
    register_vector(connection)
    found = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    version = str(found[0]) if found else "none"
    if version == "none" or tuple(int(part) for part in version.split(".")[:2]) < (0, 8):
        raise StoreUnavailable(
            f"The database has pgvector {version}; 0.8 or newer is needed: ALTER EXTENSION vector UPDATE."
        )


def checksums(connection: Connection, tables: Tables, embedders: int) -> dict[str, str]:
    """The number of rows of each table and a hash over them, by its name; a table that is gone has none."""
    found = {}
    for table in tables.all(embedders):
        name = table.as_string().rsplit(".", 1)[-1].strip('"')
        kind = name.split("_")[0].rstrip("0123456789")
        order = KEYS.get(kind, "row")
        each = f"sha256(record_send({_HASHED[kind]}))"
        query = f"SELECT count(*), encode(sha256(coalesce(string_agg({each}, ''::bytea ORDER BY {order}), '')), 'hex')"
        if connection.execute("SELECT to_regclass(%s)", [table.as_string()]).fetchone() != (None,):
            row = connection.execute(sql.SQL(query + " FROM {} t").format(table)).fetchone()
            found[name.removesuffix(f"_{tables.key}")] = f"{row[0]} {row[1]}" if row else ""
    return found
