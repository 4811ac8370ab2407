"""The state on a Postgres server: made by one of many, shared by all, and clear about what is wrong."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy import text as sql

from app.bootstrap import Services, build
from app.errors import ConfigError
from app.releases import describe
from app.settings import ChatSettings, load_settings
from app.store import tables
from app.store.database import open_database
from app.store.postgres import open_postgres
from app.store.seal import Seal
from app.store.turns import KeyStore, TurnStore
from app.types import ChatRequest
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.errors import IngestRunning, StoreUnavailable
from retrieval.files import list_files
from retrieval.store import tables as retrieval_tables
from retrieval.store.locks import CorpusLocks
from retrieval.types import Access

PASSWORD = "s3cr%40t-horse"


def test_migrations_make_exactly_the_tables(postgres_url: str, tmp_path: Path) -> None:
    engine = open_database(tmp_path, SecretStr(postgres_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, [tables.metadata, retrieval_tables.metadata]) == []
    engine.dispose()


def test_many_processes_may_open_a_new_database_at_once(postgres_url: str, tmp_path: Path) -> None:
    start = threading.Barrier(6)

    def opened(number: int) -> bool:
        start.wait()
        engine = open_database(tmp_path / str(number), SecretStr(postgres_url))
        there = KeyStore(engine).any()
        engine.dispose()
        return there

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(opened, range(6))) == [False] * 6


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://me:{PASSWORD}@127.0.0.1/x",
        f"postgresql+psycopg2://me:{PASSWORD}@127.0.0.1/x",
        f"me:{PASSWORD}@127.0.0.1",
        f"postgresql://me:{PASSWORD}@127.0.0.1:port/x",
        f"postgresql://me:{PASSWORD}@127.0.0.1:1/x",
        f"postgresql://me:{PASSWORD}@/x?host=/none",
    ],
)
def test_a_database_that_cannot_be_used_says_so_and_keeps_the_password(url: str, tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, database_url=url)
    assert PASSWORD not in repr(settings)
    with pytest.raises(ConfigError, match="database_url") as told:
        open_database(settings.home, settings.database_url)
    assert PASSWORD not in str(told.value) and "s3cr@t" not in str(told.value)


async def test_a_nul_character_leaves_a_mark(postgres_url: str, tmp_path: Path, corpus: Services) -> None:
    asked = ChatRequest("canary traffic percent")
    result = await corpus.pipeline.run(asked)
    engine = open_database(tmp_path, SecretStr(postgres_url))
    turns = TurnStore(engine, Seal(tmp_path), ChatSettings(record_text=True))
    turns.record(result, asked, describe(corpus.pipeline, corpus.settings))
    turns.add_feedback(result.turn_id, "down", "no\0pe")
    assert turns.rated_down()[0].note == "no\ufffdpe"
    engine.dispose()


def test_names_too_long_for_a_column_are_refused(postgres_url: str, tmp_path: Path) -> None:
    engine = open_database(tmp_path, SecretStr(postgres_url))
    for name, tenant in (("x" * 81, ""), ("x", "t" * 81)):
        with pytest.raises(ConfigError, match="at most 80"):
            KeyStore(engine).create(name, Access(tenant))
    assert KeyStore(engine).create("x" * 80, Access("t" * 80))
    engine.dispose()


def test_a_lost_connection_is_one_clear_error_and_the_next_try_works(postgres_url: str, tmp_path: Path) -> None:
    engine = open_database(tmp_path, SecretStr(postgres_url))
    with engine.connect() as doomed, engine.connect() as other:
        backend = doomed.scalar(sql("SELECT pg_backend_pid()"))
        other.execute(sql("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": backend})
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            doomed.execute(sql("SELECT 1"))
    assert not KeyStore(engine).any()
    engine.dispose()


def test_a_server_that_is_not_there_or_too_slow_is_the_same_error(postgres_url: str, tmp_path: Path) -> None:
    gone = open_postgres(f"postgresql://me:{PASSWORD}@127.0.0.1:1/x")
    with pytest.raises(StoreUnavailable, match="cannot be reached") as told:
        KeyStore(gone).any()
    assert PASSWORD not in str(told.value) and "s3cr@t" not in str(told.value)
    engine = open_database(tmp_path, SecretStr(postgres_url))
    with engine.connect() as db:
        db.execute(sql("SET statement_timeout = 50"))
        with pytest.raises(StoreUnavailable, match="timeout"):
            db.execute(sql("SELECT pg_sleep(20)"))
    engine.dispose()


def test_times_are_utc_whatever_the_server_s_zone_is(postgres_url: str, tmp_path: Path, documents: Path) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET timezone = 'Asia/Tokyo'")
    settings = load_settings(home=tmp_path / "home", database_url=postgres_url)
    services = build(settings, embedder=HashingEmbedder())
    snapshot = services.ingestor.ingest(list_files([documents]), "default").snapshot
    created = services.corpora.snapshot("default", snapshot).created
    assert created.utcoffset() == timedelta(0) and abs(datetime.now(UTC) - created) < timedelta(minutes=5)
    services.close()


def test_two_machines_cannot_ingest_into_one_corpus(postgres_url: str, tmp_path: Path) -> None:
    here, there = (open_database(tmp_path / name, SecretStr(postgres_url)) for name in ("here", "there"))
    ours, theirs = CorpusLocks(tmp_path / "here", here), CorpusLocks(tmp_path / "there", there)
    with ours.hold("default"):
        with pytest.raises(IngestRunning), theirs.hold("default"):
            pass
        with theirs.hold("another"):
            pass
    with theirs.hold("default"):
        pass
    with pytest.raises(ZeroDivisionError), ours.hold("default"):
        _ = 1 / 0
    with theirs.hold("default"):
        pass
    here.dispose()
    there.dispose()
