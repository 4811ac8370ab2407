"""The index folder of a snapshot: its rows, its vectors, its words. Written whole or not at all."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.embedders.port import Vectors
from retrieval.errors import IndexOutdated
from retrieval.index.bm25 import BM25Index
from retrieval.index.faiss import FaissIndex
from retrieval.index.port import TextIndex, VectorIndex

ROWS = "rows.npz"
VECTORS = "vectors"


@dataclass(frozen=True, slots=True)
class Rows:
    """Which chunk each row is: `documents[document[i]]` is (doc_id, version), [start[i], end[i]) its span."""

    documents: tuple[tuple[str, str], ...]
    document: NDArray[np.int32]
    start: NDArray[np.int32]
    end: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.document)


@dataclass(frozen=True, slots=True)
class SnapshotIndex:
    """Everything that a search of one snapshot needs but the texts."""

    rows: Rows
    dense: Mapping[str, VectorIndex]
    """By the embedder's name."""
    bm25: TextIndex


def build(rows: Rows, vectors: Mapping[str, Vectors], texts: Sequence[str]) -> SnapshotIndex:
    """Index row i under each embedder's `vectors[name][i]` and the words of `texts[i]`."""
    dense = {name: FaissIndex.build(matrix) for name, matrix in vectors.items()}
    return SnapshotIndex(rows, dense, BM25Index.build(texts))


class IndexFolders:
    """The index folders under `root`, one per corpus and snapshot."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, corpus: str, snapshot: str) -> Path:
        """Where the snapshot's index lies, or would lie."""
        return self._root / corpus / snapshot

    def write(self, corpus: str, snapshot: str, index: SnapshotIndex) -> None:
        """Write the index durably; it appears under its name in one rename. A folder already there is whole."""
        final = self.path(corpus, snapshot)
        if final.is_dir():
            return
        draft = final.with_name(f".{snapshot}.tmp")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        rows = index.rows
        documents = np.array(rows.documents, dtype="U16").reshape(-1, 2)
        np.savez(draft / ROWS, documents=documents, document=rows.document, start=rows.start, end=rows.end)
        for name, dense in index.dense.items():
            (draft / VECTORS / name).mkdir(parents=True)
            dense.save(draft / VECTORS / name)
        index.bm25.save(draft)
        _sync_tree(draft)
        draft.rename(final)
        _sync(final.parent)

    def open(self, corpus: str, snapshot: str) -> SnapshotIndex:
        """Open what `write` wrote.

        Raises:
            IndexOutdated: An earlier version wrote it.
        """
        folder = self.path(corpus, snapshot)
        if folder.is_dir() and not (folder / VECTORS).is_dir():
            raise IndexOutdated(corpus, "vectors by embedder")
        with np.load(folder / ROWS, allow_pickle=False) as saved:
            documents = tuple((str(doc_id), str(version)) for doc_id, version in saved["documents"])
            rows = Rows(documents, saved["document"], saved["start"], saved["end"])
        dense = {path.name: FaissIndex.open(path) for path in sorted((folder / VECTORS).iterdir())}
        return SnapshotIndex(rows, dense, BM25Index.open(folder))

    def keep_only(self, corpus: str, snapshots: Sequence[str]) -> None:
        """Remove the folders of other snapshots and what a crash left half-written."""
        for folder in (self._root / corpus).glob("*"):
            if folder.name.startswith("."):  # what a crash left
                shutil.rmtree(folder, ignore_errors=True)
            elif folder.name not in snapshots:
                # Renamed first: under its own name a folder is whole, even if this process dies while it removes it.
                gone = folder.with_name(f".{folder.name}.gone")
                shutil.rmtree(gone, ignore_errors=True)
                folder.rename(gone)
                shutil.rmtree(gone, ignore_errors=True)


def _sync_tree(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
