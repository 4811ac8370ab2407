"""What the statements of this room share."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from sqlalchemy import Engine, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite

Key = TypeVar("Key", str, tuple[str, str])


def insert_or_ignore(engine: Engine, table: Table) -> Insert:
    """INSERT that leaves a row with the same key alone: rows here are immutable, a second write is the same row."""
    if engine.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def batches(keys: Sequence[Key], size: int = 500) -> Iterator[Sequence[Key]]:
    """Slices small enough for a database's bound on parameters."""
    for start in range(0, len(keys), size):
        yield keys[start : start + size]
