"""What a turn was answered by: release, scope, passages, keyed hashes of the words."""

import sqlalchemy as sa
from alembic import op

from retrieval.store.tables import UtcDateTime

revision = "0005"
down_revision = "0004"

_TEXTS = {"scope": "{}", "passages": "[]", "verdicts": "[]", "usage": "{}"}
_HASHES = ("question_hmac", "history_hmac", "answer_sha256")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "releases",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("first_used", UtcDateTime(), nullable=False),
        sa.Column("manifest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.add_column("turns", sa.Column("release", sa.String(length=16), nullable=False, server_default=""))
    for name in _HASHES:
        op.add_column("turns", sa.Column(name, sa.String(length=64), nullable=False, server_default=""))
    for name, empty in _TEXTS.items():
        op.add_column("turns", sa.Column(name, sa.Text(), nullable=False, server_default=empty))
    op.add_column("turns", sa.Column("history", sa.Text(), nullable=True))


def downgrade() -> None:
    """Take back."""
    for name in ("history", *_TEXTS, *_HASHES, "release"):
        op.drop_column("turns", name)
    op.drop_table("releases")
