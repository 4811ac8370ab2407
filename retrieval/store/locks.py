"""The only right to change a corpus: on this machine by a file, and among machines by their common database."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, func, select

from retrieval.errors import IngestRunning
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
                if not db.scalar(select(func.pg_try_advisory_lock(_SPACE, func.hashtext(corpus)))):
                    raise IngestRunning(f"Another ingest of the corpus '{corpus}' is running. Wait for it to end.")
                db.detach()  # closed afterwards, not pooled: the lock goes with it
                yield
