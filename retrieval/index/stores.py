"""The index stores by the name that the settings give them."""

from collections.abc import Callable, Mapping
from pathlib import Path

from retrieval.config import IndexSettings
from retrieval.index.folder import IndexFolders
from retrieval.index.port import IndexStore

STORES: Mapping[str, Callable[[IndexSettings, Path], IndexStore]] = {
    "faiss": lambda settings, root: IndexFolders(root, settings),
}
"""Each makes a store from the settings and the folder that a local one may use."""


def open_index(settings: IndexSettings, root: Path) -> IndexStore:
    """The store that the settings name."""
    return STORES[settings.backend](settings, root)
