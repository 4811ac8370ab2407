"""Documents in, a snapshot that serves out: chunks, vectors, index, switch.

Every step may be killed: the next one takes up what was stored. Order of writes: document versions with their chunks,
vectors, the index, and last the one transaction that makes the snapshot the one that serves. All but the last only add
immutable rows under content hashes.
"""

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from retrieval.chunking import Chunker
from retrieval.contract.model import Contract
from retrieval.embedders.port import Embedder, Vectors
from retrieval.errors import CorpusNotFound, IndexOutdated, SnapshotNotFound
from retrieval.ids import digest
from retrieval.index.contents import DocumentColumn, IndexContents, LabelColumn, Rows
from retrieval.index.port import IndexStore
from retrieval.parsing import PARSER
from retrieval.sources.port import Progress
from retrieval.store.corpus import CorpusStore
from retrieval.store.embeddings import EmbeddingCache
from retrieval.store.rows import Activation, ChunkRow, Member, user
from retrieval.store.texts import ChunkTexts
from retrieval.types import Chunk, Document, Snapshot
from retrieval.windows import windows
from retrieval.words import index_words

INDEX = "words-2 windows-2"
"""How words and windows are made of a text: part of every snapshot id."""


EmbedGroups = Callable[[Embedder, Iterable[Sequence[str]]], Iterator[Vectors]]
"""Embeds groups of texts and yields the vectors of each, in order."""


def embed_here(embedder: Embedder, groups: Iterable[Sequence[str]]) -> Iterator[Vectors]:
    """Embed group after group in a thread, one ahead of what the caller stores."""
    with ThreadPoolExecutor(1, thread_name_prefix="assay-embed") as thread:
        ahead: deque[Future[Vectors]] = deque()
        for texts in groups:
            ahead.append(thread.submit(embedder.embed_passages, texts))
            if len(ahead) > 1:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


@dataclass(frozen=True, slots=True)
class Publisher:
    """Makes snapshots of stored documents and switches readers to them. The caller holds the corpus's lock."""

    store: CorpusStore
    vectors: EmbeddingCache
    indexes: IndexStore
    embedders: Sequence[Embedder]
    chunker: Chunker
    embed_group: int
    keep_indexes: int
    embed_groups: EmbedGroups = embed_here

    def store_documents(self, documents: Sequence[Document]) -> None:
        """Keep versions with their chunks; keeping them again changes nothing."""
        cut = [(document, [_row(chunk) for chunk in self.chunker.chunk(document)]) for document in documents]
        self.store.put_documents(cut, self.chunker.fingerprint)

    def publish(
        self, corpus: str, members: Sequence[Member], contract: Contract, report: Progress
    ) -> tuple[Snapshot, int]:
        """Switch readers to the snapshot of these members, which are all stored.

        Returns:
            The snapshot, and how many texts were embedded anew.
        """
        rows = self.rows(members)
        embedded = max(self._embed(embedder, rows, report) for embedder in self.embedders)
        manifest = self._new_manifest(corpus, members)
        snapshot = Snapshot(digest(manifest), corpus, datetime.now(UTC), len(members), len(rows))
        if not self.indexes.holds(corpus, snapshot.id):
            report("index", 0, 1)
            self.indexes.write(corpus, snapshot.id, self.contents(members, rows))
            report("index", 1, 1)
        before = self.active(corpus)
        self.store.publish(snapshot, manifest, members, Activation(user(), contract.fingerprint))
        self.indexes.keep_only(corpus, [snapshot.id, *before, *self.store.newest(corpus, self.keep_indexes)])
        return snapshot, embedded

    def rebuild(self, corpus: str, snapshot_id: str) -> None:
        """Write the index of a known snapshot anew where it was removed. Nothing that has its vector is embedded.

        Raises:
            IndexOutdated: The snapshot was made with other models or rules, so the same index cannot be made.
        """
        if not self.indexes.holds(corpus, snapshot_id):
            self.indexes.write(corpus, snapshot_id, self._contents_of(corpus, snapshot_id))

    def reindex(self, corpus: str, snapshot_id: str) -> None:
        """Put a new index of a known snapshot in the place of the one that is there, as the settings now say.

        Raises:
            IndexOutdated: The snapshot was made with other models or rules, so the same index cannot be made.
        """
        self.indexes.replace(corpus, snapshot_id, self._contents_of(corpus, snapshot_id))

    def _contents_of(self, corpus: str, snapshot_id: str) -> IndexContents:
        members = self.store.members(corpus, snapshot_id)
        if json.loads(self._manifest(corpus, members)) != made_of(self.store.manifest(corpus, snapshot_id)):
            raise IndexOutdated(corpus, f"index of the snapshot {snapshot_id}, made with other models or rules,")
        rows = self.rows(members)
        for embedder in self.embedders:
            self._embed(embedder, rows, silent)
        return self.contents(members, rows)

    def active(self, corpus: str) -> list[str]:
        """The snapshot that serves, if there is one."""
        try:
            return [self.store.active(corpus)]
        except CorpusNotFound:
            return []

    def rows(self, members: Sequence[Member]) -> list[ChunkRow]:
        """The chunks of members in their order; versions that another chunker cut are cut anew."""
        keys = [(member.doc_id, member.version) for member in members]
        found = self.store.chunk_rows(keys, self.chunker.fingerprint)
        uncut = [key for key in keys if not found[key]]
        for key in uncut:
            self.store_documents([self.store.document(*key)])
        found.update(self.store.chunk_rows(uncut, self.chunker.fingerprint))
        return [row for key in keys for row in found[key]]

    def text_hashes(self, keys: Sequence[tuple[str, str]], chunkers: Iterable[str]) -> set[str]:
        """The hashes under which vectors of these versions are kept: of chunks, and of the windows around them."""
        found: set[str] = set()
        for chunker in chunkers:
            rows = [row for cut in self.store.chunk_rows(keys, chunker).values() for row in cut]
            found.update(row.text_sha256 for row in rows)
            for embedder in self.embedders:
                found.update(row.text_sha256 for row in self._read_together(embedder, rows))
        return found

    def _embed(self, embedder: Embedder, rows: Sequence[ChunkRow], report: Progress) -> int:
        """Embed the texts that have no vector yet, group by group, each stored before the next begins."""
        rows = self._read_together(embedder, rows)
        missing = self.vectors.missing(embedder.fingerprint, (row.text_sha256 for row in rows))
        todo: list[ChunkRow] = []
        for row in rows:
            if row.text_sha256 in missing:
                missing.remove(row.text_sha256)
                todo.append(row)
        if todo:
            report(f"embed {embedder.name}", 0, len(todo))
        size, texts, done = self.embed_group, ChunkTexts(self.store, todo), 0
        groups = [todo[start : start + size] for start in range(0, len(todo), size)]
        work = ([texts.indexed(row) for row in group] for group in groups)
        for group, vectors in zip(groups, self.embed_groups(embedder, work), strict=True):
            self.vectors.put(embedder.fingerprint, {row.text_sha256: v for row, v in zip(group, vectors, strict=True)})
            done += len(group)
            report(f"embed {embedder.name}", done, len(todo))
        return len(todo)

    def _read_together(self, embedder: Embedder, rows: Sequence[ChunkRow]) -> Sequence[ChunkRow]:
        """For each chunk the text of which it has the vector: its own, or that of the window around it."""
        if not embedder.window_chars:
            return rows
        texts = ChunkTexts(self.store, rows)
        found: list[ChunkRow] = []
        for row in windows(rows, embedder.window_chars):
            same = found and replace(row, text_sha256=found[-1].text_sha256) == found[-1]
            found.append(found[-1] if same else replace(row, text_sha256=_sha256(texts.indexed(row))))
        return found

    def _new_manifest(self, corpus: str, members: Sequence[Member]) -> str:
        """The manifest of what is about to serve.

        A snapshot from which something was erased keeps its id. The same documents, allowed again, make another one.
        """
        manifest = self._manifest(corpus, members)
        after: list[str] = []
        while erased := self._erased(corpus, digest(manifest)):
            after += erased
            manifest = json.dumps({**json.loads(manifest), "after": after}, sort_keys=True)
        return manifest

    def _erased(self, corpus: str, snapshot_id: str) -> list[str]:
        try:
            return [note["receipt"] for note in self.store.manifest(corpus, snapshot_id).get("erased", ())]
        except SnapshotNotFound:
            return []

    def _manifest(self, corpus: str, members: Sequence[Member]) -> str:
        transforms = sorted({member.parser.removeprefix(PARSER).strip() for member in members} - {""})
        return json.dumps(
            {
                "corpus": corpus,
                "parser": PARSER,
                **({"transforms": transforms} if transforms else {}),
                "index": INDEX,
                "chunker": self.chunker.fingerprint,
                "embedders": [embedder.fingerprint for embedder in self.embedders],
                "documents": [[member.doc_id, member.version, asdict(member.labels)] for member in members],
            },
            sort_keys=True,
        )

    def contents(self, members: Sequence[Member], rows: Sequence[ChunkRow]) -> IndexContents:
        """What an index of these members, whose chunks `rows` are, is built of."""
        return IndexContents(_positions(members, rows), self._vectors(rows), self._words(rows))

    def _vectors(self, rows: Sequence[ChunkRow]) -> dict[str, Vectors]:
        found = {}
        for embedder in self.embedders:
            hashes = [row.text_sha256 for row in self._read_together(embedder, rows)]
            found[embedder.name] = self.vectors.get(embedder.fingerprint, hashes, embedder.dimensions)
        return found

    def _words(self, rows: Sequence[ChunkRow]) -> list[list[str]]:
        texts = ChunkTexts(self.store, rows)
        return [index_words(texts.indexed(row), texts.language(row)) for row in rows]


def silent(step: str, done: int, total: int) -> None:
    """Report no progress."""


def chunk_sha256(chunk: Chunk) -> str:
    """The hash that a chunk's vector is kept under: of what embedders see."""
    return _sha256(chunk.indexed_text)


def _row(chunk: Chunk) -> ChunkRow:
    return ChunkRow(chunk.doc_id, chunk.version, chunk.start, chunk.end, chunk.context, chunk_sha256(chunk))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _positions(members: Sequence[Member], rows: Sequence[ChunkRow]) -> Rows:
    documents = [(member.doc_id, member.version) for member in members]
    number = {key: i for i, key in enumerate(documents)}
    return Rows(
        DocumentColumn.of(documents),
        LabelColumn.of([member.labels for member in members]),
        np.array([number[row.doc_id, row.version] for row in rows], dtype=np.int32),
        np.array([row.start for row in rows], dtype=np.int32),
        np.array([row.end for row in rows], dtype=np.int32),
    )


def made_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest less what it says of erasures."""
    return {name: value for name, value in manifest.items() if name not in ("erased", "after")}
