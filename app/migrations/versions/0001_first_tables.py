"""First tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Apply."""
    _create_app_tables()
    _create_corpus_tables()
    _create_document_tables()


def _create_app_tables() -> None:
    op.create_table(
        "api_keys",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sa.UniqueConstraint("sha256"),
    )
    op.create_table(
        "turns",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("corpus", sa.String(length=80), nullable=False),
        sa.Column("snapshot", sa.String(length=16), nullable=False),
        sa.Column("provider", sa.String(length=80), nullable=False),
        sa.Column("abstained", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("citations", sa.Text(), nullable=False, comment="JSON: [[doc_id, start, end], …]"),
        sa.Column("timings_ms", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=True, comment="Only where chat.record_text is set."),
        sa.Column("answer", sa.Text(), nullable=True, comment="Only where chat.record_text is set."),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_turns_created"), "turns", ["created"], unique=False)
    op.create_table(
        "feedback",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("turn_id", sa.String(length=32), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rating", sa.String(length=8), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["turn_id"],
            ["turns.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_feedback_turn_id"), "feedback", ["turn_id"], unique=False)


def _create_corpus_tables() -> None:
    op.create_table(
        "corpora",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("active_snapshot", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "quarantine",
        sa.Column("corpus", sa.String(length=80), nullable=False),
        sa.Column("uri", sa.String(length=2000), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("stage", sa.String(length=20), nullable=False),
        sa.Column("seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("corpus", "uri"),
    )
    op.create_table(
        "snapshots",
        sa.Column("corpus", sa.String(length=80), nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("documents", sa.Integer(), nullable=False),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.Column("manifest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("corpus", "id"),
    )
    op.create_table(
        "vectors",
        sa.Column("embedder", sa.String(length=120), nullable=False),
        sa.Column("text_sha256", sa.String(length=64), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("embedder", "text_sha256"),
    )


def _create_document_tables() -> None:
    op.create_table(
        "versions",
        sa.Column("doc_id", sa.String(length=16), nullable=False),
        sa.Column("version", sa.String(length=16), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("parser", sa.String(length=40), nullable=False),
        sa.Column("modified", sa.DateTime(timezone=True), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sections", sa.Text(), nullable=False),
        sa.Column("pages", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("doc_id", "version"),
    )
    op.create_table(
        "chunks",
        sa.Column("doc_id", sa.String(length=16), nullable=False),
        sa.Column("version", sa.String(length=16), nullable=False),
        sa.Column("chunker", sa.String(length=120), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("end", sa.Integer(), nullable=False),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("text_sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["doc_id", "version"],
            ["versions.doc_id", "versions.version"],
        ),
        sa.PrimaryKeyConstraint("doc_id", "version", "chunker", "ordinal"),
    )
    op.create_table(
        "snapshot_documents",
        sa.Column("corpus", sa.String(length=80), nullable=False),
        sa.Column("snapshot", sa.String(length=16), nullable=False),
        sa.Column("doc_id", sa.String(length=16), nullable=False),
        sa.Column("version", sa.String(length=16), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["corpus", "snapshot"],
            ["snapshots.corpus", "snapshots.id"],
        ),
        sa.ForeignKeyConstraint(
            ["doc_id", "version"],
            ["versions.doc_id", "versions.version"],
        ),
        sa.PrimaryKeyConstraint("corpus", "snapshot", "doc_id"),
    )
    op.create_index("snapshot_documents_doc", "snapshot_documents", ["doc_id"], unique=False)


def downgrade() -> None:
    """Take back."""
    op.drop_index("snapshot_documents_doc", table_name="snapshot_documents")
    op.drop_table("snapshot_documents")
    op.drop_table("chunks")
    op.drop_table("versions")
    op.drop_table("vectors")
    op.drop_table("snapshots")
    op.drop_table("quarantine")
    op.drop_table("corpora")
    op.drop_index(op.f("ix_feedback_turn_id"), table_name="feedback")
    op.drop_table("feedback")
    op.drop_index(op.f("ix_turns_created"), table_name="turns")
    op.drop_table("turns")
    op.drop_table("api_keys")
