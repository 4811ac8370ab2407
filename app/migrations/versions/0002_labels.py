"""Whose a document is, which groups may see it, and its attributes."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_TABLE = "snapshot_documents"


def upgrade() -> None:
    """Apply."""
    op.add_column(_TABLE, sa.Column("tenant", sa.String(length=80), nullable=False, server_default=""))
    op.add_column(
        _TABLE,
        sa.Column(
            "groups",
            sa.Text(),
            nullable=False,
            server_default="[]",
            comment="JSON: the groups that may see it; none: all",
        ),
    )
    op.add_column(
        _TABLE,
        sa.Column("attributes", sa.Text(), nullable=False, server_default="{}", comment="JSON: name and value"),
    )


def downgrade() -> None:
    """Take back."""
    for column in ("attributes", "groups", "tenant"):
        op.drop_column(_TABLE, column)
