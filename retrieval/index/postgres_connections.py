"""A bounded pool of connections to Postgres, and its failures as errors that say what to do."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from pgvector.psycopg import register_vector
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from pydantic import SecretStr

from retrieval.errors import StorageFailed, StoreUnavailable

Connection = psycopg.Connection[tuple[Any, ...]]

CHECK_AFTER_S = 30.0
"""A connection that was idle for longer is tried before it is used: what lies between may have dropped it."""
_FULL = (errors.DiskFull, errors.IoError)
_LOST = (psycopg.OperationalError, psycopg.InterfaceError)


class Connections:
    """At most `size` connections, opened when needed and kept. Every query has a time limit."""

    def __init__(self, url: SecretStr, size: int, timeout_s: float) -> None:
        """Does not connect yet.

        Raises:
            StoreUnavailable: The url is none of Postgres.
        """
        self._timeout_s = timeout_s
        try:
            known = conninfo_to_dict(url.get_secret_value().replace("postgresql+psycopg://", "postgresql://", 1))
        except psycopg.ProgrammingError:  # its message quotes the url
            form = "postgresql://user:password@host/database"
            raise StoreUnavailable(f"The url of the index is not of the form {form}.") from None
        self._password = str(known.get("password") or "")
        self._conninfo = make_conninfo(
            "", **{"connect_timeout": max(2, int(timeout_s)), "application_name": "assay", **known}
        )
        self._free = threading.BoundedSemaphore(size)
        self._idle: list[tuple[float, Connection]] = []
        self._lock = threading.Lock()

    @contextmanager
    def borrow(self) -> Iterator[Connection]:
        """A connection in autocommit mode, for one thread.

        Raises:
            StoreUnavailable: The server cannot be reached, is busy, or the query took too long. All idle connections
                are let go then, so that the next query opens a new one.
            StorageFailed: Its disk is full or fails.
        """
        if not self._free.acquire(timeout=self._timeout_s):
            raise StoreUnavailable("Every connection to Postgres is in use. Raise retrieval.index.connections.")
        connection = None
        try:
            connection = self._take()
            yield connection
        except _FULL as error:
            raise StorageFailed(f"Postgres refused: {self._said(error)}. What served before serves on.") from None
        except errors.QueryCanceled:
            raise StoreUnavailable(
                f"A query took longer than retrieval.index.timeout_s = {self._timeout_s:g} s. Ask again."
            ) from None
        except errors.InsufficientPrivilege as error:
            raise StoreUnavailable(
                f"Postgres does not permit it: {self._said(error)}. "
                "Have its administrator run CREATE EXTENSION vector, and grant CREATE on the database."
            ) from None
        except _LOST as error:
            if connection:
                connection.close()
            self.close()
            raise StoreUnavailable(f"Postgres cannot be reached: {self._said(error)}. Ask again.") from None
        finally:
            if connection:
                self._give_back(connection)
            self._free.release()

    def close(self) -> None:
        """Let go of the connections that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    def _take(self) -> Connection:
        while True:
            with self._lock:
                since, connection = self._idle.pop() if self._idle else (0.0, None)
            if connection is None:
                return self._connect()
            if time.monotonic() - since < CHECK_AFTER_S:
                return connection
            with suppress(*_LOST):
                connection.execute("SELECT 1")
                return connection
            connection.close()

    def _give_back(self, connection: Connection) -> None:
        if connection.closed or connection.info.transaction_status != TransactionStatus.IDLE:
            connection.close()
            return
        with self._lock:
            self._idle.append((time.monotonic(), connection))

    def _connect(self) -> Connection:
        # Statements are planned with their values each time: a plan for any scope would be wrong for most.
        connection = psycopg.connect(self._conninfo, autocommit=True, prepare_threshold=None)
        try:
            timeout_ms = max(1, int(self._timeout_s * 1000))
            connection.execute(
                f"SET statement_timeout = {timeout_ms}; SET jit = off; SET client_min_messages = warning"
            )
            connection.execute("SET hnsw.ef_search = 200; SET hnsw.iterative_scan = strict_order")
            connection.execute("SET hnsw.max_scan_tuples = 2147483647; SET hnsw.scan_mem_multiplier = 20")
            if connection.execute("SELECT 1 FROM pg_type WHERE typname = 'vector'").fetchone():
                register_vector(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _said(self, error: psycopg.Error) -> str:
        """What the server said, in one line, without the statement and the password."""
        said = " ".join((error.diag.message_primary or str(error)).split()).rstrip(".")
        return said.replace(self._password, "***") if self._password else said
