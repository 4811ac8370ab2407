"""Retention: by default nothing goes; what is over its time goes, and what serves or may be gone back to stays."""

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text as sql

from app.bootstrap import Services
from app.http import upkeep as module
from app.http.upkeep import upkeep
from app.retention import Retention
from app.settings import RetentionSettings
from app.store.database import open_database
from app.types import ChatRequest
from retrieval.errors import IngestRunning, SnapshotNotFound
from retrieval.files import corpus_lock, list_files
from tests.crash_matrix import InProcess
from tests.remains import remains


def under(services: Services, **rules: int) -> Retention:
    return replace(services.retention, settings=RetentionSettings(**rules))


async def asked(services: Services, days_ago: int, note: str = "") -> str:
    turn = await services.pipeline.run(ChatRequest("canary release traffic percent"))
    services.turns.add_feedback(turn.turn_id, "down", note)
    then = datetime.now(UTC) - timedelta(days=days_ago)
    with open_database(services.settings.home).execution_options(write=True).begin() as db:
        for statement in ("turns SET created = :then WHERE id", "feedback SET created = :then WHERE turn_id"):
            db.execute(sql(f"UPDATE {statement} = :id"), {"then": then.replace(tzinfo=None), "id": turn.turn_id})
    return turn.turn_id


async def test_by_default_nothing_goes(corpus: Services) -> None:
    await asked(corpus, 3_000)
    assert corpus.retention.off and not any(corpus.retention.due().values())
    assert not any(corpus.retention.apply().values())
    assert len(corpus.turns.rated_down()) == 1


async def test_turns_go_with_their_feedback_and_no_byte_stays(corpus: Services) -> None:
    await asked(corpus, 40, "the old remark")
    young = await asked(corpus, 20, "the young remark")
    policy = under(corpus, turns_days=30)
    assert dict(policy.due()) == {"turns": 1, "quarantine": 0, "snapshots": 0}
    assert policy.apply()["feedback"] == 1
    assert [turn.id for turn in corpus.turns.rated_down()] == [young]
    assert remains(corpus.settings.home, "the old remark") == []
    assert remains(corpus.settings.home, "the young remark") != []


async def test_feedback_and_quarantine_have_times_of_their_own(corpus: Services, documents: Path) -> None:
    turn = await asked(corpus, 40)
    (documents / "empty.md").write_text("", "utf-8")
    corpus.ingestor.ingest(list_files([documents]), "default")
    assert not any(under(corpus, quarantine_days=1).apply().values())
    done = under(corpus, feedback_days=30, quarantine_days=0).apply()
    assert (done["feedback"], done["quarantine"], done["turns"]) == (1, 1, 0)
    assert corpus.turns.turn(turn).rating is None and corpus.corpora.quarantined("default") == []


@pytest.fixture
def six(services: Services, documents: Path) -> list[str]:
    """Six snapshots, oldest first; each changes one document."""
    made = []
    for number in range(6):
        (documents / "canary.md").write_text(f"# Canary\n\nEdition {number}: the canary sings.\n", "utf-8")
        ingestor = replace(services.ingestor, open_parser=InProcess)
        made.append(ingestor.ingest(list_files([documents]), "default").snapshot)
    return made


def test_old_snapshots_go_with_what_only_they_held(services: Services, six: list[str]) -> None:
    services.snapshots.activate("default", six[0])  # serves; six[5] is what a rollback goes back to
    done = under(services, snapshots=2).apply()
    assert (done["snapshots"], done["versions"], done["chunks"]) == (3, 3, 3)
    assert set(services.corpora.newest("default", 99)) == {six[0], six[4], six[5]}
    for name in (six[0], six[4], six[5]):
        assert list(services.snapshots.verify("default", name)) == []
    with pytest.raises(SnapshotNotFound):
        services.corpora.snapshot("default", six[1])
    assert services.snapshots.rollback("default") == six[5]
    assert not under(services, snapshots=2).due()["snapshots"]
    services.snapshots.activate("default", six[4])


def test_an_ingest_in_progress_keeps_its_snapshots(services: Services, six: list[str]) -> None:
    with corpus_lock(services.settings.home / "locks" / "default.lock"), pytest.raises(IngestRunning):
        under(services, snapshots=1).apply()
    assert len(services.corpora.newest("default", 99)) == 6


async def test_the_service_does_it_again_and_again_and_survives_what_fails(
    corpus: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[int] = []
    enough = asyncio.Event()
    loop = asyncio.get_running_loop()

    def apply(self: Any) -> dict[str, int]:
        calls.append(1)
        if len(calls) == 1:
            raise IngestRunning("busy")
        if len(calls) == 2:
            raise ValueError("Jane Q. Doe")
        loop.call_soon_threadsafe(enough.set)
        return {"turns": 1}

    monkeypatch.setattr(Retention, "apply", apply)
    monkeypatch.setattr(module, "AGAIN_S", 0.01)
    with caplog.at_level(logging.INFO):
        task = asyncio.create_task(upkeep(replace(corpus, retention=under(corpus, turns_days=1)), 0.0, 0.01))
        await asyncio.wait_for(enough.wait(), 20)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert "busy" in caplog.text and "ValueError" in caplog.text and "Doe" not in caplog.text


async def test_a_service_without_a_policy_has_nothing_to_do(corpus: Services) -> None:
    await asyncio.wait_for(upkeep(corpus), 5)
