"""Vector stores of LlamaIndex: the factory by its name, and stores that cannot do what is needed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrieval.config import IndexSettings
from retrieval.errors import Unsupported
from retrieval.index.llama import LlamaIndexes
from retrieval.index.stores import open_index
from retrieval.types import OPEN, Access, Labels, Scope
from tests.retrieval.index.samples import DIMENSIONS, contents, some_docs

HELD: dict[tuple[str, str, str], Any] = {}


def simple(corpus: str, snapshot: str, embedder: str) -> Any:
    from llama_index.core.vector_stores import SimpleVectorStore

    return HELD.setdefault((corpus, snapshot, embedder), SimpleVectorStore())


class NoFilters:
    """A store that holds vectors and cannot filter."""

    def add(self, nodes: list[Any]) -> list[str]:
        return [node.node_id for node in nodes]

    def clear(self) -> None: ...

    def query(self, query: Any) -> Any:
        raise NotImplementedError("filters")


def test_the_settings_name_the_factory(tmp_path: Path) -> None:
    settings = IndexSettings(backend="llama_index", factory=f"{__name__}:simple")
    store = open_index(settings, tmp_path)
    held = contents(some_docs(1, 6, [Labels()]))
    store.write("c", "s", held)
    query = held.vectors["large"][3]
    hits = open_index(settings, tmp_path).open("c", "s").nearest("large", query, 2, OPEN)
    assert hits.rows[0] == 3 and hits.scores[0] == pytest.approx(1, abs=1e-5)
    store.keep_only("c", ["other"])
    assert not store.holds("c", "s")
    assert not HELD["c", "s", "large"].data.embedding_dict


@pytest.mark.parametrize("factory", ["", "nowhere.at.all:make", "pathlib:nothing"])
def test_a_factory_that_is_not_there_is_told(factory: str, tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match=r"package\.module:function"):
        open_index(IndexSettings(backend="llama_index", factory=factory), tmp_path)


def test_a_store_without_filters_is_refused_and_not_asked_otherwise(tmp_path: Path) -> None:
    store = LlamaIndexes(lambda *_: NoFilters(), tmp_path)  # type: ignore[arg-type, return-value]
    store.write("c", "s", contents(some_docs(2, 4, [Labels()])))
    with pytest.raises(Unsupported, match="cannot filter"):
        store.open("c", "s").nearest("large", np.zeros(DIMENSIONS["large"], np.float32), 2, OPEN)


class IgnoresFilters(NoFilters):
    """A store that answers as if it had not been told whose vectors to look at."""

    def query(self, query: Any) -> Any:
        from llama_index.core.vector_stores.types import VectorStoreQueryResult

        assert query.filters is not None
        return VectorStoreQueryResult(ids=["0", "1", "2", "3"], similarities=[0.9, 0.8, 0.7, 0.6])


def test_a_store_that_ignores_filters_gives_out_nothing(tmp_path: Path) -> None:
    store = LlamaIndexes(lambda *_: IgnoresFilters(), tmp_path)  # type: ignore[arg-type, return-value]
    store.write("c", "s", contents(some_docs(3, 8, [Labels("acme"), Labels("zenith")])))
    index, query = store.open("c", "s"), np.zeros(DIMENSIONS["large"], np.float32)
    with pytest.raises(Unsupported, match="does not filter"):
        index.nearest("large", query, 4, Scope(Access("zenith")))
