"""Files in, a new snapshot out. Every step may be killed: the next ingest takes up what was stored.

Order of writes: document versions with their chunks, vectors, the index folder, and last the one transaction that
makes the snapshot the one that serves. All but the last only add immutable rows under content hashes.
"""

import hashlib
import json
import os
import stat
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import numpy as np

from retrieval.chunking import Chunker
from retrieval.config import RetrievalSettings
from retrieval.embedders.port import Embedder, Vectors
from retrieval.errors import CorpusNotFound, ParseFailure
from retrieval.files import SourceFile, corpus_lock
from retrieval.index.contents import IndexContents, Rows
from retrieval.index.port import IndexStore
from retrieval.parsing import PARSER
from retrieval.plan import CorpusState
from retrieval.sources.port import Progress, origin
from retrieval.store.corpus import ChunkRow, CorpusStore, Member
from retrieval.store.embeddings import EmbeddingCache
from retrieval.types import Chunk, Document, IngestReport, ParsedFile, ReasonCode, Snapshot, Stage


class FileParser(Protocol):
    """Parses files in bounded worker processes; yields as they complete, in any order."""

    def parse_all(self, files: Iterable[tuple[str, Path]]) -> Iterator[tuple[str, ParsedFile | ParseFailure]]:
        """Parse (uri, path) pairs."""
        ...


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
class Ingestor:
    """Turns files into snapshots of a corpus."""

    store: CorpusStore
    vectors: EmbeddingCache
    indexes: IndexStore
    embedders: Sequence[Embedder]
    chunker: Chunker
    open_parser: Callable[[], AbstractContextManager[FileParser]]
    locks: Path
    settings: RetrievalSettings
    embed_groups: EmbedGroups = embed_here

    def ingest(
        self, files: Sequence[SourceFile], corpus: str, *, prune: Collection[str] = (), progress: Progress | None = None
    ) -> IngestReport:
        """Bring a corpus to the state of `files` and switch readers to the new snapshot.

        Args:
            files: What to read. A file whose bytes are those of last time is not read further.
            corpus: Its name.
            prune: Folders (as `files.folders` gives them) whose vanished files are removed too.
            progress: Called as work goes on.

        Raises:
            IngestRunning: Another process ingests into the corpus.
        """
        report = progress or (lambda step, done, total: None)
        started = time.monotonic()
        with corpus_lock(self.locks / f"{corpus}.lock"):
            before = self._members(corpus)
            state = CorpusState({member.uri: member for member in before})
            todo = self._changed(files, state)
            self._parse(corpus, todo, state, report)
            self.store.record_quarantine(corpus, state.quarantined, cleared=state.seen)
            state.prune(prune, {file.uri for file in files})
            rows = self._rows(state.sorted())
            embedded = max(self._embed(embedder, rows, report) for embedder in self.embedders)
            snapshot = self._publish(corpus, state.sorted(), rows, report)
        return IngestReport(
            snapshot=snapshot.id,
            documents=snapshot.documents,
            chunks=snapshot.chunks,
            added=state.added,
            changed=state.changed,
            unchanged=state.unchanged,
            removed=state.removed,
            embedded=embedded,
            quarantined=tuple(sorted(state.quarantined, key=lambda row: row.uri)),
            seconds=round(time.monotonic() - started, 3),
        )

    def _active(self, corpus: str) -> list[str]:
        """The snapshot that serves, if there is one."""
        try:
            return [self.store.active(corpus)]
        except CorpusNotFound:
            return []

    def _members(self, corpus: str) -> list[Member]:
        return [member for snapshot in self._active(corpus) for member in self.store.members(corpus, snapshot)]

    def _changed(self, files: Sequence[SourceFile], state: "CorpusState") -> list[SourceFile]:
        """The files whose bytes are new; the others are counted as unchanged."""
        todo: dict[str, SourceFile] = {}
        for file in files:
            known = state.members.get(file.uri)
            if file.uri in todo or file.uri in state.seen or (known and _claimed_elsewhere(known, file)):
                state.quarantine(file.uri, ReasonCode.DUPLICATE_URI, _DUPLICATE, Stage.READ)
            elif file.failure:
                state.quarantine(file.uri, ReasonCode.UNREADABLE, file.failure, Stage.READ)
            elif known and known.parser == PARSER and known.sha256 == self._sha256(file.path):
                state.keep(replace(known, source=file.source, labels=file.labels))
            else:
                todo[file.uri] = file
        return list(todo.values())

    def _sha256(self, path: Path) -> str | None:
        """The hash of a file's bytes, or None where the parser will say why it cannot be read."""
        try:
            # Non-blocking: a FIFO in a known file's place would hold the ingest, and with it the corpus, for ever.
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode) or status.st_size > self.settings.parse.max_file_bytes:
                    return None
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return None

    def _parse(self, corpus: str, todo: Sequence[SourceFile], state: "CorpusState", report: Progress) -> None:
        if not todo:
            return
        named = {file.uri: file for file in todo}
        report("parse", 0, len(todo))
        with self.open_parser() as parser:
            results = parser.parse_all((file.uri, file.path) for file in todo)
            waiting: list[Document] = []
            for done, (uri, result) in enumerate(results, start=1):
                if isinstance(result, ParseFailure):
                    state.quarantine(uri, result.code, result.detail, result.stage)
                else:
                    document = _document(corpus, uri, result)
                    waiting.append(document)
                    state.put(_member(document, named[uri]))
                if len(waiting) == _TOGETHER or sum(len(held.parsed.text) for held in waiting) > _TOGETHER_CHARS:
                    self._store(waiting)
                    waiting = []
                report("parse", done, len(todo))
            self._store(waiting)

    def _store(self, documents: Sequence[Document]) -> None:
        cut = [(document, [_row(chunk) for chunk in self.chunker.chunk(document)]) for document in documents]
        self.store.put_documents(cut, self.chunker.fingerprint)

    def _rows(self, members: Sequence[Member]) -> list[ChunkRow]:
        """The chunks of the members; versions that another chunker cut are cut anew."""
        keys = [(member.doc_id, member.version) for member in members]
        found = self.store.chunk_rows(keys, self.chunker.fingerprint)
        uncut = [key for key in keys if not found[key]]
        for key in uncut:
            self._store([self.store.document(*key)])
        found.update(self.store.chunk_rows(uncut, self.chunker.fingerprint))
        return [row for key in keys for row in found[key]]

    def _embed(self, embedder: Embedder, rows: Sequence[ChunkRow], report: Progress) -> int:
        """Embed the texts that have no vector yet, group by group, each stored before the next begins."""
        missing = self.vectors.missing(embedder.fingerprint, (row.text_sha256 for row in rows))
        todo = list({row.text_sha256: row for row in rows if row.text_sha256 in missing}.values())
        if todo:
            report(f"embed {embedder.name}", 0, len(todo))
        size, texts, done = self.settings.embed_group, _Texts(self.store, todo), 0
        groups = [todo[start : start + size] for start in range(0, len(todo), size)]
        work = ([texts.indexed(row) for row in group] for group in groups)
        for group, vectors in zip(groups, self.embed_groups(embedder, work), strict=True):
            self.vectors.put(embedder.fingerprint, {row.text_sha256: v for row, v in zip(group, vectors, strict=True)})
            done += len(group)
            report(f"embed {embedder.name}", done, len(todo))
        return len(todo)

    def _publish(self, corpus: str, members: Sequence[Member], rows: Sequence[ChunkRow], report: Progress) -> Snapshot:
        manifest = json.dumps(
            {
                "corpus": corpus,
                "parser": PARSER,
                "chunker": self.chunker.fingerprint,
                "embedders": [embedder.fingerprint for embedder in self.embedders],
                "documents": [[member.doc_id, member.version, asdict(member.labels)] for member in members],
            },
            sort_keys=True,
        )
        snapshot = Snapshot(_digest(manifest), corpus, datetime.now(UTC), len(members), len(rows))
        if not self.indexes.holds(corpus, snapshot.id):
            report("index", 0, 1)
            contents = IndexContents(_positions(members, rows), self._vectors(rows), self._words(rows))
            self.indexes.write(corpus, snapshot.id, contents)
            report("index", 1, 1)
        before = self._active(corpus)
        self.store.publish(snapshot, manifest, members)
        self.indexes.keep_only(corpus, [snapshot.id, *before, *self.store.newest(corpus, self.settings.keep_indexes)])
        return snapshot

    def _vectors(self, rows: Sequence[ChunkRow]) -> dict[str, Vectors]:
        hashes = [row.text_sha256 for row in rows]
        return {
            embedder.name: self.vectors.get(embedder.fingerprint, hashes, embedder.dimensions)
            for embedder in self.embedders
        }

    def _words(self, rows: Sequence[ChunkRow]) -> list[str]:
        texts = _Texts(self.store, rows)
        return [texts.indexed(row) for row in rows]


_TOGETHER, _TOGETHER_CHARS = 32, 4_000_000
"""Documents stored in one transaction: so many, or so much text, may have to be parsed again after a crash."""
_READ_TOGETHER = 20
_DUPLICATE = "Another file is already known under this uri. Ingest the common parent folder, or use another corpus."


class _Texts:
    """Indexed texts of chunks. Asked in the order of `rows`, it reads each document once and few together."""

    def __init__(self, store: CorpusStore, rows: Sequence[ChunkRow]) -> None:
        self._store = store
        self._coming = deque(dict.fromkeys((row.doc_id, row.version) for row in rows))
        self._texts: dict[tuple[str, str], str] = {}

    def indexed(self, row: ChunkRow) -> str:
        key = (row.doc_id, row.version)
        if key not in self._texts:
            next_ones = [self._coming.popleft() for _ in range(min(_READ_TOGETHER, len(self._coming)))]
            self._texts = self._store.texts(next_ones)
        text = self._texts[key][row.start : row.end]
        return Chunk(row.doc_id, row.version, row.start, row.end, text, row.context).indexed_text


def document_id(corpus: str, uri: str) -> str:
    """The id that names a document for life: 16 hexadecimal digits of corpus and uri."""
    return _digest(f"{corpus}\0{uri}")


def _document(corpus: str, uri: str, file: ParsedFile) -> Document:
    """A version is named by its content: the same file by the same parser is the same version, on any machine."""
    parsed = file.parsed
    content = json.dumps([parsed.text, parsed.title, [s.start for s in parsed.sections], file.sha256, PARSER])
    return Document(document_id(corpus, uri), _digest(content), uri, file.sha256, PARSER, file.modified, parsed)


def _member(document: Document, file: SourceFile) -> Member:
    return Member(document.doc_id, document.version, file.uri, document.sha256, PARSER, file.source, file.labels)


def _row(chunk: Chunk) -> ChunkRow:
    digest = hashlib.sha256(chunk.indexed_text.encode()).hexdigest()
    return ChunkRow(chunk.doc_id, chunk.version, chunk.start, chunk.end, chunk.context, digest)


def _positions(members: Sequence[Member], rows: Sequence[ChunkRow]) -> Rows:
    documents = tuple((member.doc_id, member.version) for member in members)
    number = {key: i for i, key in enumerate(documents)}
    return Rows(
        documents,
        tuple(member.labels for member in members),
        np.array([number[row.doc_id, row.version] for row in rows], dtype=np.int32),
        np.array([row.start for row in rows], dtype=np.int32),
        np.array([row.end for row in rows], dtype=np.int32),
    )


def _claimed_elsewhere(known: Member, file: SourceFile) -> bool:
    """Whether the uri belongs to another source that still holds such a file."""
    source = Path(known.source)
    if known.source.startswith("git+") and file.source.startswith("git+"):  # two repositories, each with a README
        return origin(known.source) != origin(file.source)
    if known.source == file.source or not source.is_absolute():  # a label such as "upload" names no place on disk
        return False
    return source.is_file() or (source / known.uri).is_file()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
