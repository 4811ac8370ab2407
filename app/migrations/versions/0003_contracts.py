"""Profiles of documents, and who made which snapshot serve when."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "profiles",
        sa.Column("doc_id", sa.String(length=16), nullable=False),
        sa.Column("version", sa.String(length=16), nullable=False),
        sa.Column("computation", sa.Integer(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("doc_id", "version", "computation"),
    )
    op.create_table(
        "activations",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("corpus", sa.String(length=80), nullable=False),
        sa.Column("snapshot", sa.String(length=16), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.String(length=80), nullable=False),
        sa.Column("contract", sa.String(length=12), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("activations_corpus", "activations", ["corpus"], unique=False)


def downgrade() -> None:
    """Take back."""
    op.drop_index("activations_corpus", table_name="activations")
    op.drop_table("activations")
    op.drop_table("profiles")
