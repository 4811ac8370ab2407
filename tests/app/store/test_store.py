"""The database: migrations match the tables, keys are hashed, feedback belongs to a turn."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from app.bootstrap import Services
from app.errors import ConfigError, TurnNotFound
from app.store import tables
from app.store.database import open_database
from app.types import ChatRequest
from retrieval.store import tables as retrieval_tables
from retrieval.types import NOBODY

pytestmark = pytest.mark.both_databases


def test_migrations_make_exactly_the_tables(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "home")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, [tables.metadata, retrieval_tables.metadata]) == []
    engine.dispose()


def test_a_home_can_be_opened_twice_and_is_in_wal_mode(tmp_path: Path) -> None:
    for _ in range(2):
        engine = open_database(tmp_path / "home")
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        engine.dispose()


def test_a_home_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(ConfigError, match="ASSAY_HOME"):
        open_database(tmp_path / "file" / "home")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "assay.db").write_bytes(b"not a database, but long enough to be looked at" * 50)
    with pytest.raises(ConfigError, match="cannot be opened"):
        open_database(tmp_path / "home")


def test_keys_are_shown_once_and_kept_as_hashes(services: Services) -> None:
    assert not services.keys.any()
    key = services.keys.create("front-end")
    assert services.keys.any()
    assert services.keys.access(key) == NOBODY
    assert services.keys.access(key + "x") is None
    raw = b"".join(path.read_bytes() for path in services.settings.home.glob("assay.db*"))
    assert key.encode() not in raw
    with pytest.raises(ConfigError, match="exists"):
        services.keys.create("front-end")
    services.keys.revoke("front-end")
    assert services.keys.access(key) is None
    with pytest.raises(ConfigError, match="No key"):
        services.keys.revoke("front-end")


async def test_feedback_belongs_to_a_turn_that_happened(corpus: Services) -> None:
    result = await corpus.pipeline.run(ChatRequest("canary traffic percent"))
    corpus.turns.add_feedback(result.turn_id, "up", "right")
    with pytest.raises(TurnNotFound):
        corpus.turns.add_feedback("0" * 32, "down", "")
