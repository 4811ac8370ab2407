"""The tables of the retrieval room."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Column,
    DateTime,
    Dialect,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time: SQLite forgets the zone, so it is stored as UTC and comes back as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuses times without a zone: they would mean something else on another machine."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """UTC, always."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


metadata = MetaData()

versions = Table(
    "versions",
    metadata,
    Column("doc_id", String(16), primary_key=True),
    Column("version", String(16), primary_key=True),
    Column("uri", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("parser", String(40), nullable=False),
    Column("modified", UtcDateTime, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("language", String(8), nullable=False),
    Column("text", Text, nullable=False),
    Column("sections", Text, nullable=False),
    Column("pages", Text, nullable=False),
)

chunks = Table(
    "chunks",
    metadata,
    Column("doc_id", String(16), primary_key=True),
    Column("version", String(16), primary_key=True),
    Column("chunker", String(120), primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("context", Text, nullable=False),
    Column("text_sha256", String(64), nullable=False),
    ForeignKeyConstraint(["doc_id", "version"], ["versions.doc_id", "versions.version"]),
)

vectors = Table(
    "vectors",
    metadata,
    Column("embedder", String(120), primary_key=True),
    Column("text_sha256", String(64), primary_key=True),
    Column("vector", LargeBinary, nullable=False),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("corpus", String(80), primary_key=True),
    Column("id", String(16), primary_key=True),
    Column("created", UtcDateTime, nullable=False),
    Column("documents", Integer, nullable=False),
    Column("chunks", Integer, nullable=False),
    Column("manifest", Text, nullable=False),
)

members = Table(
    "snapshot_documents",
    metadata,
    Column("corpus", String(80), primary_key=True),
    Column("snapshot", String(16), primary_key=True),
    Column("doc_id", String(16), primary_key=True),
    Column("version", String(16), nullable=False),
    Column("source", Text, nullable=False),
    Column("tenant", String(80), nullable=False, server_default=""),
    Column("groups", Text, nullable=False, server_default="[]", comment="JSON: the groups that may see it; none: all"),
    Column("attributes", Text, nullable=False, server_default="{}", comment="JSON: name and value"),
    ForeignKeyConstraint(["corpus", "snapshot"], ["snapshots.corpus", "snapshots.id"]),
    ForeignKeyConstraint(["doc_id", "version"], ["versions.doc_id", "versions.version"]),
)
Index("snapshot_documents_doc", members.c.doc_id)

corpora = Table(
    "corpora",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("active_snapshot", String(16), nullable=False),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("corpus", String(80), primary_key=True),
    Column("uri", String(2000), primary_key=True),
    Column("code", String(40), nullable=False),
    Column("detail", Text, nullable=False),
    Column("stage", String(20), nullable=False),
    Column("seen", UtcDateTime, nullable=False),
)

scrubs = Table(
    "scrubs",
    metadata,
    Column("doc_id", String(16), primary_key=True),
    Column("version", String(16), primary_key=True),
    Column("transform", String(40), nullable=False),
    Column("found", Text, nullable=False),  # JSON: kind and count of personal data
    Column("edits", Text, nullable=False),  # JSON: [[start, end, length], …] of the parsed text
)

profiles = Table(
    "profiles",
    metadata,
    Column("doc_id", String(16), primary_key=True),
    Column("version", String(16), primary_key=True),
    Column("computation", Integer, primary_key=True),
    Column("profile", Text, nullable=False),
)

activations = Table(
    "activations",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("corpus", String(80), nullable=False),
    Column("snapshot", String(16), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("who", String(80), nullable=False),
    Column("contract", String(12), nullable=False),
)
Index("activations_corpus", activations.c.corpus)

tombstones = Table(
    "tombstones",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("receipt", String(40), nullable=False, index=True),
    Column("kind", String(10), nullable=False),  # document, bytes or subject
    Column("corpus", String(80), nullable=False),  # Empty: every corpus.
    Column("mark", String(64), nullable=False),  # A doc_id, or a keyed hash.
    Column("length", Integer, nullable=False),  # Characters of a folded subject; 0 otherwise.
)
