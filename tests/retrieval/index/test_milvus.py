"""Milvus beyond the contract: a server that is not there, secrets, bounds, and what a killed write leaves."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr

from retrieval.config import IndexSettings
from retrieval.errors import IndexMissing, StoreUnavailable, Unsupported
from retrieval.index.stores import open_index
from retrieval.types import OPEN, Labels
from tests.retrieval.index.samples import DIMENSIONS, contents, some_docs

pytest.importorskip("pymilvus", reason="the extra milvus is not installed")
pytest.importorskip("milvus_lite", reason="the extra milvus is not installed")
SECRET = "s3cret-token"


def test_a_server_that_is_not_there_is_one_line_without_secrets(tmp_path: Path) -> None:
    settings = IndexSettings(
        backend="milvus", url=SecretStr("http://127.0.0.1:1"), token=SecretStr(SECRET), timeout_s=1.0
    )
    store = open_index(settings, tmp_path)
    with pytest.raises(StoreUnavailable, match=r"retrieval\.index\.url") as told:
        store.holds("c", "s")
    assert SECRET not in repr((told.value, told.value.__cause__)) and SECRET not in repr(settings)


def test_bounds_and_leftovers_of_a_killed_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import retrieval.index.milvus as module

    store = open_index(IndexSettings(backend="milvus"), tmp_path)
    held = contents(some_docs(4, 5, [Labels(), Labels("acme")]))
    query = np.zeros(DIMENSIONS["large"], np.float32)
    with monkeypatch.context() as patched:
        patched.setattr(module, "lines", lambda said: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            store.write("c", "s", held)
    assert not store.holds("c", "s") and store.faults("c", "s") == ["the index is missing"]
    with pytest.raises(IndexMissing):
        store.open("c", "s")
    store.write("c", "s", held)  # takes the place of what was left
    index = store.open("c", "s")
    assert store.faults("c", "s") == [] and len(index.nearest("large", query, 16_384, OPEN).rows) > 0
    with pytest.raises(Unsupported, match="16384"):
        index.nearest("large", query, 16_385, OPEN)
    store.keep_only("c", [])
    with pytest.raises(IndexMissing):
        index.nearest("large", query, 2, OPEN)
    store.close()
