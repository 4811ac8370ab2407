"""Tenants and groups of API keys, and the tenant that asked."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Apply."""
    op.add_column("api_keys", sa.Column("tenant", sa.String(length=80), nullable=False, server_default=""))
    op.add_column("api_keys", sa.Column("groups", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("turns", sa.Column("tenant", sa.String(length=80), nullable=False, server_default=""))


def downgrade() -> None:
    """Take back."""
    op.drop_column("turns", "tenant")
    op.drop_column("api_keys", "groups")
    op.drop_column("api_keys", "tenant")
