"""Several replicas over one Postgres, each with a home of its own: what one ingests, the others answer from at once."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.bootstrap import Services, build
from app.settings import Settings, load_settings
from app.types import ChatRequest
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.errors import CorpusNotFound, DocumentNotFound, IngestRunning
from retrieval.files import list_files
from retrieval.types import OPEN, SHARED, Access, Labels, Scope
from tests.test_crash import editions_served, ingest, write_edition

ROOT = Path(__file__).parent.parent
ACME, OTHER = Scope(Access("acme")), Scope(Access("other"))


def replica_settings(home: Path, url: str) -> Settings:
    return load_settings(home=home, database_url=url, retrieval={"index": {"backend": "postgres"}})


@pytest.fixture
def replicas(postgres_url: str, tmp_path: Path) -> Iterator[tuple[Services, Services]]:
    both = [build(replica_settings(tmp_path / name, postgres_url), embedder=HashingEmbedder()) for name in "ab"]
    yield both[0], both[1]
    for services in both:
        services.close()


def driver(home: Path, folder: Path, url: str) -> subprocess.Popen[bytes]:
    """Another replica, as a process of its own: it ingests the folder and ends."""
    variables = {"ASSAY_DATABASE_URL": url, "ASSAY_RETRIEVAL__INDEX__BACKEND": "postgres"}
    command = [sys.executable, "-m", "tests.crash_driver", str(home), str(folder)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **variables}, start_new_session=True)


async def texts(services: Services, words: str, scope: Scope = OPEN) -> set[str]:
    return {passage.text for passage in (await services.retriever.search(words, "default", 20, scope)).passages}


async def test_what_one_replica_ingests_the_other_answers_from(
    replicas: tuple[Services, Services], documents: Path
) -> None:
    one, other = replicas
    with pytest.raises(CorpusNotFound):
        await other.retriever.search("canary", "default", 1)
    for share in ("1 percent", "5 percent"):
        (documents / "canary.md").write_text(f"A canary release gets {share} of the traffic.", encoding="utf-8")
        first = one.ingestor.ingest(list_files([documents]), "default").snapshot
        found = await other.retriever.search("canary traffic", "default", 1)
        assert found.snapshot == first and share in found.passages[0].text
    answer = await other.pipeline.run(ChatRequest("What share of the traffic does a canary release get?"))
    assert "5 percent" in answer.answer
    one.turns.add_feedback(answer.turn_id, "up", "")  # the turn that the other one answered
    assert other.snapshots.rollback("default") != first
    assert any("1 percent" in text for text in await texts(one, "canary traffic"))
    assert not list((one.settings.home / "indexes").glob("*")) and not (one.settings.home / "assay.db").exists()


async def test_keys_and_labels_hold_on_every_replica(replicas: tuple[Services, Services], documents: Path) -> None:
    one, other = replicas
    key = one.keys.create("acme-web", Access("acme", frozenset({"staff"})))
    assert other.keys.access(key) == Access("acme", frozenset({"staff"}))
    labels = {"splits.md": Labels("acme"), "canary.md": Labels("acme", ("staff",)), "drift.txt": Labels(SHARED)}
    files = [replace(file, labels=labels[Path(file.uri).name]) for file in list_files([documents])]
    one.ingestor.ingest(files, "default")
    words = "canary traffic split drift index"
    for services in replicas:
        assert all("Drift" in text for text in await texts(services, words, OTHER))
        assert not any("canary" in text for text in await texts(services, words, ACME))
        staff = Scope(Access("acme", frozenset({"staff"})))
        assert any("canary" in text for text in await texts(services, words, staff))
    member = next(m for m in one.ingestor.members("default") if m.uri.endswith("canary.md"))
    with pytest.raises(DocumentNotFound):
        other.corpora.version_in(member.doc_id, None, Access("acme"))


async def test_searches_go_on_while_another_replica_ingests(
    replicas: tuple[Services, Services], postgres_url: str, tmp_path: Path
) -> None:
    one, other = replicas
    folder = tmp_path / "sheets"
    write_edition(folder, "amber")
    ingest(one, folder)
    write_edition(folder, "blue")
    process = driver(tmp_path / "third", folder, postgres_url)
    served = set()
    while process.poll() is None:
        found = await other.retriever.search("edition sheet harbour topic", "default", 50)
        editions = {word for passage in found.passages for word in ("amber", "blue") if word in passage.text}
        assert len(editions) == 1, "a mix of two snapshots"
        served |= editions
    assert process.returncode == 0 and "amber" in served
    assert await editions_served(other) == await editions_served(one) == {"blue"}


@pytest.mark.parametrize("kills", [3, pytest.param(40, marks=pytest.mark.heavy)])
async def test_a_replica_killed_in_mid_ingest_leaves_the_old_snapshot(
    replicas: tuple[Services, Services], postgres_url: str, tmp_path: Path, kills: int
) -> None:
    one, other = replicas
    chance, folder, killed = random.Random(20261128), tmp_path / "sheets", 0
    write_edition(folder, "amber")
    ingest(one, folder)
    current, longest = "amber", 4.0
    while killed < kills:
        target = "blue" if current == "amber" else "amber"
        write_edition(folder, target)
        process = driver(tmp_path / "third", folder, postgres_url)
        try:
            process.wait(chance.uniform(0.5, longest))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
        for services in replicas:
            served = await editions_served(services)
            assert len(served) == 1
        ingest_when_free(other, folder)
        current = target
        assert await editions_served(one) == {target}
        assert list(one.snapshots.verify("default", one.corpora.active("default"))) == []


def ingest_when_free(services: Services, folder: Path) -> None:
    """The server lets go of a killed process's lock when it notices that the connection is gone."""
    until = time.monotonic() + 20
    while True:
        try:
            return ingest(services, folder)
        except IngestRunning:
            assert time.monotonic() < until
            time.sleep(0.05)
