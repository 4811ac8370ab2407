"""Indexes as folders, one for each snapshot: its rows and labels, and for each tenant its vectors and its words.

The folder has the snapshot's name, or that with a number after a dot where it was built anew: the highest counts. Under
such a name a folder is whole from its first moment to its last.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from retrieval.config import IndexSettings
from retrieval.embedders.port import Vectors
from retrieval.errors import IndexMissing, IndexOutdated
from retrieval.fusion import Hits, best
from retrieval.index.admission import Admission, Allowed
from retrieval.index.bm25 import BM25Index
from retrieval.index.contents import DocumentColumn, IndexContents, LabelColumn, Rows
from retrieval.index.faiss import FaissIndex, Kind
from retrieval.index.port import ChunkPlace
from retrieval.types import SHARED, Labels, Scope

ROWS, LABELS, VECTORS, CHECKSUMS = "rows.npz", "labels.json", "vectors", "checksums.json"
FORMAT = 2
_DEFAULTS = IndexSettings()


@dataclass(frozen=True, slots=True)
class Partition:
    """The rows of one tenant, from `first` to before `after`."""

    first: int
    after: int
    dense: Mapping[str, FaissIndex]
    bm25: BM25Index


@dataclass(frozen=True, slots=True)
class FolderIndex:
    """A snapshot in memory. A search asks its tenant's partition and the shared one, each with its own statistics."""

    rows: Rows
    embedders: Collection[str]
    partitions: Mapping[str, Partition]
    admission: Admission

    def nearest(self, embedder: str, query: Vectors, k: int, scope: Scope) -> Hits:
        """The best `k` admitted rows by inner product."""
        return self._search(scope, k, lambda part, allowed: part.dense[embedder].search(query, k, allowed))

    def matching(self, words: Mapping[str, float], k: int, scope: Scope) -> Hits:
        """The best `k` admitted rows that hold one of the words."""
        return self._search(scope, k, lambda part, allowed: part.bm25.search(words, k, allowed))

    def vectors(self, embedder: str, rows: Sequence[int]) -> Vectors:
        """The vectors of rows, (rows, dimensions), in their order."""
        tenants = sorted(self.partitions.values(), key=lambda part: part.first)
        owner = np.searchsorted([part.first for part in tenants], rows, side="right") - 1
        found = [tenants[i].dense[embedder].vector(row - tenants[i].first) for i, row in zip(owner, rows, strict=True)]
        return np.stack(found) if found else np.empty((0, 0), np.float32)

    def places(self, rows: Sequence[int]) -> list[ChunkPlace]:
        """Which chunk each of the rows is."""
        held = self.rows
        return [(*held.documents[held.document[row]], int(held.start[row]), int(held.end[row])) for row in rows]

    def _search(self, scope: Scope, k: int, ask: Callable[[Partition, Allowed], Hits]) -> Hits:
        found = []
        for tenant in dict.fromkeys((scope.access.tenant, SHARED)):
            if part := self.partitions.get(tenant):
                hits = ask(part, self.admission.allowed(scope, tenant))
                found.append(Hits(hits.rows + part.first, hits.scores))
        return best(found, k)


class IndexFolders:
    """The index folders under `root`, one per corpus and snapshot."""

    def __init__(self, root: Path, settings: IndexSettings = _DEFAULTS) -> None:
        self._root = root
        self._settings = settings

    def path(self, corpus: str, snapshot: str) -> Path:
        """Where the snapshot's index lies, or would lie."""
        return self._root / corpus / _name(snapshot, max(self._generations(corpus, snapshot), default=0))

    def holds(self, corpus: str, snapshot: str) -> bool:
        """Whether the snapshot's index is there: a folder under its own name is whole."""
        return bool(self._generations(corpus, snapshot))

    def stamp(self, corpus: str, snapshot: str) -> str:
        """What `replace` changes: the number of the folder that counts. "" where there is none."""
        return str(max(self._generations(corpus, snapshot), default=""))

    def corpora(self) -> list[str]:
        """The names of the corpora that have a folder here."""
        return sorted(folder.name for folder in self._root.glob("*") if folder.is_dir())

    def write(self, corpus: str, snapshot: str, contents: IndexContents) -> None:
        """Write the index durably; it appears under its name in one rename. A folder already there is whole."""
        if not self.holds(corpus, snapshot):
            self._write(self._root / corpus / snapshot, contents)

    def replace(self, corpus: str, snapshot: str, contents: IndexContents) -> None:
        """Write the index under the next number, where it counts from then on, and remove the earlier ones."""
        earlier = self._generations(corpus, snapshot)
        self._write(self._root / corpus / _name(snapshot, max(earlier, default=-1) + 1), contents)
        for number in earlier:
            _remove(self._root / corpus / _name(snapshot, number))

    def _write(self, final: Path, contents: IndexContents) -> None:
        draft = final.with_name(f".{final.name}.tmp")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        _save_rows(draft, contents)
        for number, (_, first, after) in enumerate(contents.rows.tenants()):
            folder = draft / str(number)
            for name, vectors in contents.vectors.items():
                (folder / VECTORS / name).mkdir(parents=True)
                FaissIndex.write(folder / VECTORS / name, vectors[first:after], _kind(self._settings, after - first))
            BM25Index.build(contents.words[first:after]).save(folder)
        sums = {path.relative_to(draft).as_posix(): _file_sha256(path) for path in _files(draft)}
        (draft / CHECKSUMS).write_text(json.dumps(sums, sort_keys=True), encoding="utf-8")
        _sync_tree(draft)
        draft.rename(final)
        _sync(final.parent)

    def _generations(self, corpus: str, snapshot: str) -> list[int]:
        """The numbers of the snapshot's folders."""
        try:
            names = [folder.name for folder in (self._root / corpus).iterdir()]
        except FileNotFoundError:
            return []
        split = (name.partition(".") for name in names)
        return [int(number or "0") for name, _, number in split if name == snapshot and (number or "0").isdigit()]

    def open(self, corpus: str, snapshot: str) -> FolderIndex:
        """Open what `write` wrote.

        Raises:
            IndexMissing: There is none.
            IndexOutdated: An earlier version wrote it.
        """
        while True:
            folder = self.path(corpus, snapshot)
            if not self.holds(corpus, snapshot):
                raise IndexMissing(corpus, snapshot)
            try:
                return _open(folder, corpus)
            except (OSError, RuntimeError, IndexOutdated):
                if self.path(corpus, snapshot) == folder:
                    raise  # else it was replaced and removed while it was opened

    def faults(self, corpus: str, snapshot: str) -> list[str]:
        """What is wrong with the index's files: missing, unexpected, or of other bytes than were written."""
        folder = self.path(corpus, snapshot)
        try:
            sums = json.loads((folder / CHECKSUMS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return [f"{CHECKSUMS} of the index is missing or damaged"]
        there = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
        missing = [f"{name} of the index is missing" for name in sorted(sums.keys() - there.keys())]
        other = [
            f"{name} of the index has other bytes than were written"
            for name in sorted(sums.keys() & there.keys())
            if _file_sha256(there[name]) != sums[name]
        ]
        return missing + other

    def keep_only(self, corpus: str, snapshots: Collection[str]) -> None:
        """Remove the folders of other snapshots, those built anew since, and what a crash left half-written."""
        kept = {self.path(corpus, snapshot).name for snapshot in snapshots}
        for folder in (self._root / corpus).glob("*"):
            if folder.name.startswith("."):  # what a crash left
                shutil.rmtree(folder, ignore_errors=True)
            elif folder.name not in kept:
                _remove(folder)

    def close(self) -> None:
        """Nothing is held open."""


def _name(snapshot: str, generation: int) -> str:
    return f"{snapshot}.{generation}" if generation else snapshot


def _remove(folder: Path) -> None:
    """Renamed first: under its own name a folder is whole, even if this process dies while it removes it."""
    gone = folder.with_name(f".{folder.name}.gone")
    shutil.rmtree(gone, ignore_errors=True)
    folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _open(folder: Path, corpus: str) -> FolderIndex:
    try:
        said = json.loads((folder / LABELS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise IndexOutdated(corpus, "labels") from None
    with np.load(folder / ROWS, allow_pickle=False) as saved:
        documents = DocumentColumn(saved["documents"].astype("S16"))
        kinds = tuple(Labels(row["tenant"], tuple(row["groups"]), row["attributes"]) for row in said["labels"])
        rows = Rows(documents, LabelColumn(kinds, saved["labels"]), saved["document"], saved["start"], saved["end"])
    partitions = {
        tenant: _open_partition(folder / str(number), first, after, said["embedders"])
        for number, (tenant, first, after) in enumerate(rows.tenants())
    }
    return FolderIndex(rows, tuple(said["embedders"]), partitions, Admission.of(rows))


def _open_partition(folder: Path, first: int, after: int, embedders: Sequence[str]) -> Partition:
    dense = {name: FaissIndex.open(folder / VECTORS / name) for name in embedders}
    return Partition(first, after, dense, BM25Index.open(folder))


def _kind(settings: IndexSettings, rows: int) -> Kind:
    """Which kind of index so many rows of one tenant get."""
    if settings.kind == "auto":
        return "ivf" if rows >= settings.quantised_from else "flat"
    return settings.kind


def _save_rows(folder: Path, contents: IndexContents) -> None:
    """Rows as arrays; labels as JSON, each combination once."""
    rows = contents.rows
    np.savez(
        folder / ROWS,
        documents=rows.documents.names,
        labels=rows.labels.kind,
        document=rows.document,
        start=rows.start,
        end=rows.end,
    )
    kinds = [asdict(kind) for kind in rows.labels.kinds]
    said = {"format": FORMAT, "embedders": sorted(contents.vectors), "labels": kinds}
    (folder / LABELS).write_text(json.dumps(said, sort_keys=True), encoding="utf-8")


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_tree(folder: Path) -> None:
    for path in _tree(folder):
        _sync(path)


def _tree(folder: Path) -> Iterator[Path]:
    yield from folder.rglob("*")
    yield folder


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
