"""Opens the database, under ASSAY_HOME or on a Postgres server, and brings its tables up to date."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from pydantic import SecretStr
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError

from app.errors import ConfigError
from app.store.postgres import lock_tables, open_postgres, said
from retrieval.errors import StoreUnavailable

MIGRATIONS = Path(__file__).parent.parent / "migrations"


def open_database(home: Path, url: SecretStr | None = None) -> Engine:
    """Open the database of `url`, or `home`/assay.db, making folder, file and tables where they are missing.

    Raises:
        ConfigError: The folder cannot be written, the file is not a database of this program, or the server cannot be
            used.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        engine = open_postgres(url.get_secret_value()) if url else _open_sqlite(home)
        _upgrade(engine)
    except OSError as error:
        raise ConfigError(f"ASSAY_HOME '{home}' cannot be used: {error.strerror}. Set ASSAY_HOME elsewhere.") from None
    except (DatabaseError, StoreUnavailable) as error:
        if url:
            why = f"{said(error)}." if isinstance(error, DatabaseError) else str(error)
            raise ConfigError(f"The database of database_url cannot be used. {why}") from None
        raise ConfigError(f"The database in '{home}' cannot be opened: {getattr(error, 'orig', error)}.") from None
    return engine


def _open_sqlite(home: Path) -> Engine:
    engine = create_engine(f"sqlite:///{home.resolve() / 'assay.db'}", hide_parameters=True)
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: Any, _: Any) -> None:
    """WAL lets readers go on while an ingest writes; FULL makes a commit survive a power cut.

    What is deleted is overwritten with zeros, so that no free page keeps it.
    """
    # The driver's own transactions begin too late to cover DDL and reads: `_begin` says BEGIN instead.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=15000", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    """A transaction that will write takes the lock at once: taken later, it can fail on what others wrote meanwhile."""
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _upgrade(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.execution_options(write=True).connect() as connection:
        if engine.dialect.name == "postgresql":
            lock_tables(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
