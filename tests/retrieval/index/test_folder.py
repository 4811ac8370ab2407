"""Index folders: whole or not there, built anew under readers, whatever the kind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest

from retrieval.config import IndexSettings
from retrieval.errors import IndexMissing
from retrieval.index import folder as module
from retrieval.index.contents import DocumentColumn, IndexContents, LabelColumn, Rows
from retrieval.index.faiss import Kind
from retrieval.index.folder import IndexFolders
from retrieval.types import OPEN, SHARED, Access, Labels, Scope

CORPUS, SNAPSHOT = "default", "0123456789abcdef"
CHUNKS, DOCUMENTS = 1_200, 300


def contents() -> IndexContents:
    """Two tenants' documents and shared ones, four chunks each; every chunk has a word of its own."""
    labels = [Labels(tenant, ("board",) if i % 10 == 0 else ()) for tenant in ("", SHARED, "acme") for i in range(100)]
    names = [(f"{i:016}", f"{i + 1:016}") for i in range(DOCUMENTS)]
    document = np.repeat(np.arange(DOCUMENTS, dtype=np.int32), 4)
    start = np.tile(np.arange(4, dtype=np.int32) * 100, DOCUMENTS)
    rows = Rows(DocumentColumn.of(names), LabelColumn.of(labels), document, start, start + 100)
    vectors = np.random.default_rng(3).standard_normal((CHUNKS, 16), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return IndexContents(rows, {"test": vectors}, [[f"word{i}", "all"] for i in range(CHUNKS)])


def store(root: Path, kind: Kind = "flat") -> IndexFolders:
    return IndexFolders(root, IndexSettings(kind=kind))


def assert_whole(indexes: IndexFolders) -> None:
    assert indexes.faults(CORPUS, SNAPSHOT) == []
    index, made = indexes.open(CORPUS, SNAPSHOT), contents()
    for row in range(0, CHUNKS, 97):
        labels = made.rows.labels[row // 4]
        scope = Scope(labels.access())
        assert index.nearest("test", made.vectors["test"][row], 1, scope).rows.tolist() == [row]
        assert index.matching({f"word{row}": 1.0}, 5, scope).rows.tolist() == [row]
        assert index.places([row]) == [(*made.rows.documents[row // 4], row % 4 * 100, row % 4 * 100 + 100)]
    assert not set(index.nearest("test", made.vectors["test"][0], CHUNKS, OPEN).rows) - set(range(800))
    assert len(index.nearest("test", made.vectors["test"][0], CHUNKS, Scope(Access("acme"))).rows) == 2 * 360


@pytest.fixture
def few_are_quantised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.index.faiss.QUANTISED_FROM", 100)
    monkeypatch.setattr("retrieval.index.faiss.READ_DIRECTLY", 10)


@pytest.mark.usefixtures("few_are_quantised")
def test_every_kind_is_whole_and_takes_the_place_of_every_other(tmp_path: Path) -> None:
    kinds: list[Kind] = ["flat", "ivf", "hnsw", "flat"]
    for number, kind in enumerate(kinds):
        indexes = store(tmp_path, kind)
        indexes.replace(CORPUS, SNAPSHOT, contents())
        assert [folder.name for folder in (tmp_path / CORPUS).iterdir()] == [indexes.path(CORPUS, SNAPSHOT).name]
        assert indexes.stamp(CORPUS, SNAPSHOT) == str(number)
        assert indexes.open(CORPUS, SNAPSHOT).partitions[""].dense["test"].kind == kind
        assert_whole(indexes)
    store(tmp_path).keep_only(CORPUS, [SNAPSHOT])
    assert_whole(store(tmp_path))
    store(tmp_path).keep_only(CORPUS, [])
    assert not store(tmp_path).holds(CORPUS, SNAPSHOT) and store(tmp_path).stamp(CORPUS, SNAPSHOT) == ""
    with pytest.raises(IndexMissing):
        store(tmp_path).open(CORPUS, SNAPSHOT)


def test_the_kind_follows_the_rows_of_the_tenant() -> None:
    settings = IndexSettings(quantised_from=1_000)
    assert [module._kind(settings, rows) for rows in (999, 1_000)] == ["flat", "ivf"]
    assert module._kind(IndexSettings(kind="hnsw"), 5) == "hnsw"


def test_a_second_write_changes_nothing(tmp_path: Path) -> None:
    indexes = store(tmp_path)
    indexes.write(CORPUS, SNAPSHOT, contents())
    indexes.replace(CORPUS, SNAPSHOT, contents())
    indexes.write(CORPUS, SNAPSHOT, contents())
    assert indexes.stamp(CORPUS, SNAPSHOT) == "1"


class Killed(BaseException):
    """Ends what runs, as a signal would: no handler of errors sees it."""


@pytest.mark.parametrize("step", ["_save_rows", "_sync_tree", "_sync", "_remove", "shutil.rmtree", "Path.rename"])
@pytest.mark.parametrize("call", [1, 2, 3])
def test_killed_at_any_step_a_whole_index_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, call: int
) -> None:
    indexes = store(tmp_path)
    indexes.replace(CORPUS, SNAPSHOT, contents())
    calls = 0
    name = f"retrieval.index.folder.{step}"
    real: Callable[..., object] = attrgetter(step)(module)

    def dies(*given: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        if calls == call:
            raise Killed
        return real(*given, **named)

    with monkeypatch.context() as patched:
        patched.setattr(name, dies)
        with suppress(Killed):
            indexes.replace(CORPUS, SNAPSHOT, contents())
    assert_whole(indexes)
    indexes.keep_only(CORPUS, [SNAPSHOT])
    assert_whole(indexes)
    assert len(list((tmp_path / CORPUS).iterdir())) == 1


ENDLESS = """
import sys
from pathlib import Path
from tests.retrieval.index.test_folder import CORPUS, SNAPSHOT, contents, store
indexes, made = store(Path(sys.argv[1])), contents()
indexes.write(CORPUS, SNAPSHOT, made)
print("ready", flush=True)
while True:
    indexes.replace(CORPUS, SNAPSHOT, made)
"""


def test_kill_9_leaves_a_whole_index(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    for delay in (0.0, 0.013, 0.037):
        command = [sys.executable, "-c", ENDLESS, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(root)}) as child:
            assert child.stdout and child.stdout.readline() == b"ready\n"
            time.sleep(delay)
            child.send_signal(signal.SIGKILL)
        assert_whole(store(tmp_path))


@pytest.mark.usefixtures("few_are_quantised")
def test_who_opens_while_it_is_built_anew_finds_it_whole(tmp_path: Path) -> None:
    made, stop = contents(), threading.Event()
    store(tmp_path).write(CORPUS, SNAPSHOT, made)

    def open_and_ask() -> int:
        opened = 0
        while not stop.is_set():
            index = store(tmp_path).open(CORPUS, SNAPSHOT)
            assert index.nearest("test", made.vectors["test"][5], 1, OPEN).rows.tolist() == [5]
            opened += 1
        return opened

    kinds: list[Kind] = ["ivf", "flat"]
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(open_and_ask)
        try:
            for kind in kinds * 4:
                store(tmp_path, kind).replace(CORPUS, SNAPSHOT, made)
        finally:
            stop.set()
        assert asked.result() > 3


def test_documents_that_an_earlier_version_wrote_are_read(tmp_path: Path) -> None:
    indexes = store(tmp_path)
    indexes.write(CORPUS, SNAPSHOT, contents())
    path = indexes.path(CORPUS, SNAPSHOT) / module.ROWS
    with np.load(path) as saved:
        arrays = {**saved, "documents": saved["documents"].astype("U16")}
    np.savez(path, **arrays)
    index = indexes.open(CORPUS, SNAPSHOT)
    assert index.places([4]) == [(f"{1:016}", f"{2:016}", 0, 100)]
