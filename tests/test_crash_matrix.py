"""`kill -9` over every change of a corpus; a disk that is full or fails at each write. What serves, stays."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from app.bootstrap import Services
from retrieval.errors import StorageFailed
from retrieval.files import folders, list_files
from tests.crash_matrix import InProcess

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("kills", [12, pytest.param(500, marks=pytest.mark.heavy)])
def test_what_is_killed_leaves_a_whole_corpus(tmp_path: Path, kills: int) -> None:
    command = [sys.executable, "-m", "tests.crash_matrix", str(tmp_path / "home"), str(tmp_path / "docs"), str(kills)]
    done = subprocess.run([*command, "20261124"], cwd=ROOT, capture_output=True, text=True, check=False)
    said = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 0 and said["faults"] == 0, done.stderr[-2_000:]
    assert sum(said["kills"].values()) == kills
    assert {"ingest", "switch", "rollback", "reindex", "erase"} >= set(said["kills"]) >= {"ingest", "erase"}
    assert said["interrupted"] or kills < 100, "no erasure was killed between its intent and its receipt"


def ingest(services: Services, folder: Path) -> str:
    ingestor = replace(services.ingestor, open_parser=InProcess)
    return ingestor.ingest(list_files([folder]), "default", prune=folders([folder])).snapshot


WRITES: tuple[tuple[Any, str], ...] = (
    (os, "fsync"),
    (Path, "mkdir"),
    (Path, "rename"),
    (Path, "write_text"),
    (np, "savez"),
)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=["full", "failing"])
def test_a_write_that_fails_is_told_and_switches_nothing(
    services: Services, documents: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Fail the first write, then the second, and so on until an ingest gets through."""
    before = ingest(services, documents)
    (documents / "canary.md").write_text("A canary release gets 7 percent of the traffic.", encoding="utf-8")
    for failing in range(200):
        count = 0

        def wrapped(real: Callable[..., Any], failing: int = failing) -> Callable[..., Any]:
            def write(*args: Any, **kwargs: Any) -> Any:
                nonlocal count
                count += 1
                if count == failing + 1:
                    raise OSError(number, os.strerror(number))
                return real(*args, **kwargs)

            return write

        with monkeypatch.context() as patched:
            for holder, name in WRITES:
                patched.setattr(holder, name, wrapped(getattr(holder, name)))
            try:
                after = ingest(services, documents)
                break
            except StorageFailed as error:
                assert "What served before serves on" in str(error) and "\n" not in str(error)
        assert services.corpora.active("default") == before
        assert list(services.snapshots.verify("default", before)) == []
    assert failing > 5, "no write was reached"
    assert after != before and list(services.snapshots.verify("default", after)) == []


def test_a_full_database_is_told_and_switches_nothing(services: Services, documents: Path) -> None:
    before = ingest(services, documents)
    for number in range(30):
        (documents / f"more-{number}.md").write_text(f"# Sheet {number}\n\n" + f"word{number} " * 400, encoding="utf-8")
    pages: list[int] = [0]

    @event.listens_for(Pool, "checkout")
    def _bound(connection: Any, *_: Any) -> None:
        with suppress(Exception):
            connection.execute(f"PRAGMA max_page_count={pages[0] or 1_000_000}")

    try:
        used = (services.settings.home / "assay.db").stat().st_size // 4096
        failed = 0
        for room in (0, 5, 20, 60):
            pages[0] = used + room
            try:
                ingest(services, documents)
            except StorageFailed as error:
                failed += 1
                assert "The disk is full" in str(error)
                assert services.corpora.active("default") == before
                assert list(services.snapshots.verify("default", before)) == []
        assert failed >= 2
        pages[0] = 0
        after = ingest(services, documents)
        assert after != before and list(services.snapshots.verify("default", after)) == []
    finally:
        event.remove(Pool, "checkout", _bound)
