"""What was found at the door in each document version, and how its text leads back to the file's."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "scrubs",
        sa.Column("doc_id", sa.String(length=16), nullable=False),
        sa.Column("version", sa.String(length=16), nullable=False),
        sa.Column("transform", sa.String(length=40), nullable=False),
        sa.Column("found", sa.Text(), nullable=False),
        sa.Column("edits", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("doc_id", "version"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("scrubs")
