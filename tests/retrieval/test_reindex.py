"""An index is built anew under a reader that is asked all the while."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.bootstrap import Services
from app.settings import Settings, load_settings
from retrieval.index.folder import FolderIndex
from tests.conftest import Build


def test_a_reader_takes_up_the_new_index_and_no_query_fails(
    corpus: Services, build_services: Build, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retrieval.index.faiss.QUANTISED_FROM", 1)
    snapshot = corpus.corpora.active("default")
    stop, kinds = threading.Event(), list[str]()

    def ask() -> None:
        while not stop.is_set():
            found = asyncio.run(corpus.retriever.search("canary traffic", "default", 2))
            assert found.snapshot == snapshot and "1 percent" in found.passages[0].text
            index = corpus.reader.current("default")[1]
            assert isinstance(index, FolderIndex)
            kinds.append(index.partitions[""].dense["hashing"].kind)

    with ThreadPoolExecutor(2) as pool:
        threads = [pool.submit(ask) for _ in range(2)]
        try:
            for kind in ("ivf", "hnsw", "flat", "ivf"):
                given = load_settings(home=settings.home, retrieval={"index": {"kind": kind}})
                build_services(given=given).snapshots.reindex("default", snapshot)
                seen = len(kinds)
                while len(kinds) < seen + 6 and not any(thread.done() for thread in threads):
                    time.sleep(0.01)
                assert kinds[-1] == kind
        finally:
            stop.set()
        for thread in threads:
            thread.result()
    assert list(corpus.snapshots.verify("default", snapshot)) == []


@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw"])
def test_verify_holds_for_every_kind(
    corpus: Services, build_services: Build, settings: Settings, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("retrieval.index.faiss.QUANTISED_FROM", 1)
    monkeypatch.setattr("retrieval.index.faiss.READ_DIRECTLY", 0)
    snapshot = corpus.corpora.active("default")
    services = build_services(given=load_settings(home=settings.home, retrieval={"index": {"kind": kind}}))
    services.snapshots.reindex("default", snapshot)
    assert list(services.snapshots.verify("default", snapshot)) == []
    path: Path = settings.home / "indexes" / "default" / f"{snapshot}.1"
    assert path.is_dir()
