"""The index stores by the name that the settings give them."""

from collections.abc import Callable, Mapping
from pathlib import Path

from retrieval.config import IndexSettings
from retrieval.errors import LibraryMissing
from retrieval.index.folder import IndexFolders
from retrieval.index.llama import LlamaIndexes
from retrieval.index.port import IndexStore


def _postgres(settings: IndexSettings, root: Path) -> IndexStore:
    try:
        from retrieval.index.postgres import PostgresIndexes
    except ImportError:
        raise LibraryMissing("The index in Postgres needs libraries. Run: pip install 'assay[postgres]'") from None
    return PostgresIndexes(settings)


def _milvus(settings: IndexSettings, root: Path) -> IndexStore:
    try:
        from retrieval.index.milvus import MilvusIndexes
    except ImportError:
        raise LibraryMissing("The index in Milvus needs libraries. Run: pip install 'assay[milvus]'") from None
    return MilvusIndexes(settings, root)


STORES: Mapping[str, Callable[[IndexSettings, Path], IndexStore]] = {
    "faiss": lambda settings, root: IndexFolders(root, settings),
    "postgres": _postgres,
    "milvus": _milvus,
    "llama_index": LlamaIndexes.named,
}
"""Each makes a store from the settings and the folder that a local one may use."""


def open_index(settings: IndexSettings, root: Path) -> IndexStore:
    """The store that the settings name."""
    return STORES[settings.backend](settings, root)
