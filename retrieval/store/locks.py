"""The only right to change a corpus: on this machine by a file, and among machines by their common database."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import DBAPIError

from retrieval.errors import IngestRunning, StoreUnavailable
from retrieval.files import corpus_lock

_SPACE = 541_820
"""Of Postgres' two-part advisory locks, the first part."""


@dataclass(frozen=True, slots=True)
class CorpusLocks:
    """The locks of all corpora. Whoever holds one loses it when its process ends, however it ends."""

    folder: Path
    engine: Engine

    @contextmanager
    def hold(self, corpus: str) -> Iterator[None]:
        """Hold the lock of a corpus.

        Raises:
            IngestRunning: Another process holds it, here or on another machine.
        """
        with corpus_lock(self.folder / f"{corpus}.lock"):
            if self.engine.dialect.name == "sqlite":
                yield
                return
            # Outside of a transaction: one that stays open as long as an ingest would keep the server from cleaning up.
            with self.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as db:
                key = (_SPACE, func.hashtext(corpus))
                if not db.scalar(select(func.pg_try_advisory_lock(*key))):
                    raise IngestRunning(f"Another ingest of the corpus '{corpus}' is running. Wait for it to end.")
                db.detach()  # never pooled: where it cannot be unlocked, the lock goes with the connection
                try:
                    yield
                finally:
                    with suppress(DBAPIError, StoreUnavailable):  # a connection that is lost holds nothing
                        db.scalar(select(func.pg_advisory_unlock(*key)))
