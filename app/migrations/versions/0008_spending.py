"""What was spent on models, by API key and day."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "spending",
        sa.Column("payer", sa.String(length=80), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("payer", "day"),
    )
    op.add_column("api_keys", sa.Column("usd_per_day", sa.Float(), nullable=True))


def downgrade() -> None:
    """Take back."""
    op.drop_column("api_keys", "usd_per_day")
    op.drop_table("spending")
