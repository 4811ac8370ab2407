"""The database on a Postgres server, which several processes and machines may share."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError

from app.errors import ConfigError
from retrieval.errors import StoreUnavailable

FORM = "postgresql+psycopg://user:password@host/database"
LOCK = 5_418_206_870
"""Of Postgres' advisory locks, the one under which the tables are brought up to date."""
_NO_CONNECTION, _INTERVENED, _TOO_MANY = "08", "57", "53300"
"""Of SQLSTATE: two classes, the second of which holds shutdowns and statements that took too long; and one code."""
_OPTIONS = {
    "connect_timeout": 10,
    "application_name": "assay",
    "keepalives_idle": 30,
    "options": "-c statement_timeout=60000 -c client_min_messages=warning",
}


def open_postgres(url: str) -> Engine:
    """An engine for the server; it connects when it is first used.

    Raises:
        ConfigError: The url is not of the form, or the driver is not installed.
    """
    try:
        engine = create_engine(
            _with_driver(url),
            hide_parameters=True,
            connect_args=_OPTIONS,
            pool_size=10,
            max_overflow=10,
            pool_timeout=10,
            pool_pre_ping=True,
        )
    except ModuleNotFoundError:
        raise ConfigError("A database on Postgres needs its driver. Run: pip install 'assay[postgres]'") from None
    event.listen(engine, "before_cursor_execute", _without_nul, retval=True)
    event.listen(engine, "handle_error", _lost)
    return engine


def lock_tables(connection: Connection) -> None:
    """Wait until no other process changes the tables. The lock is held until the connection is closed for good."""
    connection.exec_driver_sql("SET statement_timeout = 0")
    connection.exec_driver_sql(f"SELECT pg_advisory_lock({LOCK})")
    connection.commit()
    connection.detach()


def _with_driver(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # a message of theirs may quote it
        raise ConfigError(f"database_url is not of the form {FORM}.") from None
    if url.drivername not in ("postgresql", "postgresql+psycopg"):
        raise ConfigError(f"database_url is not of the form {FORM}.")
    return url.set(drivername="postgresql+psycopg")


def _without_nul(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
) -> tuple[str, Any]:
    """Postgres keeps no NUL in a text, SQLite does. Documents have none; elsewhere U+FFFD says that there was one."""
    if isinstance(parameters, Mapping):
        return statement, _plain(parameters)
    return statement, [_plain(row) if isinstance(row, Mapping) else row for row in parameters]


def _plain(row: Mapping[str, Any]) -> Mapping[str, Any]:
    if not any(isinstance(value, str) and "\0" in value for value in row.values()):
        return row
    return {name: value.replace("\0", "\ufffd") if isinstance(value, str) else value for name, value in row.items()}


def _lost(context: ExceptionContext) -> None:
    """A server that is gone, full or too slow is one clear error; the pool connects anew at the next try."""
    if context.is_pre_ping or not isinstance(context.sqlalchemy_exception, OperationalError | InterfaceError):
        return
    state = getattr(context.original_exception, "sqlstate", None) or _NO_CONNECTION
    if context.is_disconnect or state[:2] in (_NO_CONNECTION, _INTERVENED) or state == _TOO_MANY:
        raise StoreUnavailable(f"The database cannot be reached: {_said(context.original_exception)}. Try again.")


def said(error: DBAPIError) -> str:
    """What the driver said, in one line. It names host and user, never the password."""
    return _said(error.orig)


def _said(error: BaseException | None) -> str:
    primary = getattr(getattr(error, "diag", None), "message_primary", None)  # the rest may quote the statement
    return " ".join(str(primary or error).split()).rstrip(".")
