"""The snapshots of a corpus: what there is, what changed, which one serves, and whether all of it is whole."""

import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from retrieval.errors import NoRollback
from retrieval.ids import digest, version_of
from retrieval.publish import Publisher, chunk_sha256
from retrieval.store.corpus import CorpusStore
from retrieval.store.failures import storage_failures
from retrieval.store.locks import CorpusLocks
from retrieval.store.rows import Activation, Member, user
from retrieval.types import Chunk, Scope, Snapshot

SELF_SCORE = 0.999
"""Share of a vector's product with itself that an index must give, less what float32 and quantisation lose."""
LEAST_SQUARE = 0.98
"""Of a vector's product with itself: a model in bfloat16 leaves .996 to 1.008. Below it the vector is damaged."""
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Listed:
    """A snapshot as a list shows it: who made it serve last, under which contract."""

    snapshot: Snapshot
    serves: bool
    indexed: bool
    activation: Activation | None


@dataclass(frozen=True, slots=True)
class Difference:
    """What one snapshot has that another has not, as uris."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    relabelled: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Reads and switches snapshots; what switches holds the corpus's lock."""

    store: CorpusStore
    publisher: Publisher
    locks: CorpusLocks

    def list(self, corpus: str) -> list[Listed]:
        """All snapshots of a corpus, newest first.

        Raises:
            CorpusNotFound: Nothing has been ingested into the corpus.
        """
        active = self.store.active(corpus)
        last = {activation.snapshot: activation for activation in self.store.activations(corpus)}
        return [
            Listed(
                self.store.snapshot(corpus, name),
                name == active,
                self.publisher.indexes.holds(corpus, name),
                last.get(name),
            )
            for name in self.store.newest(corpus, 10_000)
        ]

    def find(self, corpus: str, name: str | None) -> str:
        """A snapshot's id from its first digits; None is the one that serves.

        Raises:
            CorpusNotFound: Nothing has been ingested into the corpus.
            SnapshotNotFound: None, or more than one, begins so.
        """
        active = self.store.active(corpus)
        if name is None:
            return active
        like = [known for known in self.store.newest(corpus, 10_000) if known.startswith(name)]
        return like[0] if len(like) == 1 else self.store.snapshot(corpus, name).id

    def diff(self, corpus: str, before: str, after: str) -> Difference:
        """What changed from one snapshot to another.

        Raises:
            SnapshotNotFound: The corpus has no such snapshot.
        """
        old, new = ({m.uri: m for m in self._members(corpus, name)} for name in (before, after))
        both = sorted(old.keys() & new.keys())
        return Difference(
            added=tuple(sorted(new.keys() - old.keys())),
            removed=tuple(sorted(old.keys() - new.keys())),
            changed=tuple(uri for uri in both if old[uri].version != new[uri].version),
            relabelled=tuple(uri for uri in both if old[uri].labels != new[uri].labels),
        )

    def activate(self, corpus: str, name: str) -> None:
        """Make a snapshot the one that serves; its index is rebuilt from stored vectors where it was removed.

        Raises:
            SnapshotNotFound: The corpus has no such snapshot.
            IndexOutdated: It was made with other models or rules and has no index any more.
            IngestRunning: An ingest holds the corpus.
        """
        self.store.snapshot(corpus, name)
        with storage_failures(), self.locks.hold(corpus):
            self.publisher.rebuild(corpus, name)
            self.store.activate(corpus, name, Activation(user()))

    def rebuild(self, corpus: str, name: str) -> None:
        """Write a snapshot's index anew where it was removed, without switching to it; the next ingest may remove it.

        Raises:
            SnapshotNotFound: The corpus has no such snapshot.
            IndexOutdated: It has no index, and was made with other models or rules.
            IngestRunning: An ingest holds the corpus.
        """
        self.store.snapshot(corpus, name)
        with storage_failures(), self.locks.hold(corpus):
            self.publisher.rebuild(corpus, name)

    def reindex(self, corpus: str, name: str) -> None:
        """Build a snapshot's index anew from stored vectors, of the kind that the settings say, while the old serves.

        Raises:
            SnapshotNotFound: The corpus has no such snapshot.
            IndexOutdated: It has no index, and was made with other models or rules.
            IngestRunning: An ingest holds the corpus.
        """
        self.store.snapshot(corpus, name)
        with storage_failures(), self.locks.hold(corpus):
            self.publisher.reindex(corpus, name)

    def rollback(self, corpus: str) -> str:
        """Make the snapshot serve that served before the one that does now. Returns its id.

        Raises:
            CorpusNotFound: Nothing has been ingested into the corpus.
            NoRollback: No other snapshot has served.
            IndexOutdated: It was made with other models or rules and has no index any more.
            IngestRunning: An ingest holds the corpus.
        """
        active = self.store.active(corpus)
        served = [activation.snapshot for activation in self.store.activations(corpus)]
        known = set(self.store.newest(corpus, 10_000)) - {active}
        before = next((name for name in reversed(served) if name in known), None)
        if before is None:
            raise NoRollback(f"No other snapshot of '{corpus}' has served: there is nothing to go back to.")
        self.activate(corpus, before)
        return before

    def verify(self, corpus: str, name: str) -> Iterator[str]:
        """Check every hash, and ask the index for every vector by itself. Yields what is wrong, one line each.

        Raises:
            SnapshotNotFound: The corpus has no such snapshot.
        """
        manifest = self.store.manifest(corpus, name)
        members = self._members(corpus, name)
        erased = manifest.pop("erased", [])
        if digest(json.dumps(manifest, sort_keys=True)) != (erased[-1]["left"] if erased else name):
            left = f"that the erasure {erased[-1]['receipt']} left" if erased else "that the snapshot is named after"
            yield f"the manifest is not the one {left}"
        if _plain([[m.doc_id, m.version, asdict(m.labels)] for m in members]) != manifest["documents"]:
            yield "the snapshot's documents are not those of its manifest"
        for member in members:
            yield from self._document_faults(member, str(manifest["chunker"]))
        if not self.publisher.indexes.holds(corpus, name):
            return
        yield from self.publisher.indexes.faults(corpus, name)
        yield from self._vector_faults(corpus, name, members)

    def erasures(self, corpus: str, name: str) -> Sequence[str]:
        """What was erased from a snapshot, one line for each receipt: its id names what was there before.

        Raises:
            SnapshotNotFound: The corpus has no such snapshot.
        """
        notes = self.store.manifest(corpus, name).get("erased", [])
        return [
            f"{note['documents']} documents were erased under the receipt {note['receipt']}: the snapshot's id is the "
            "hash of what was there before"
            for note in notes
        ]

    def export(self, corpus: str, name: str, path: Path) -> int:
        """Write a snapshot as a ZIP archive with fixed bytes: manifest, documents, chunks, vectors. Returns documents.

        Raises:
            SnapshotNotFound: The corpus has no such snapshot.
        """
        manifest, members = self.store.manifest(corpus, name), self._members(corpus, name)
        rows = self.publisher.rows(members)
        draft = path.with_name(f".{path.name}.tmp")
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
            _add(archive, "manifest.json", json.dumps(manifest, indent=2, sort_keys=True).encode())
            _add(archive, "documents.jsonl", _lines(self._exported(member) for member in members))
            _add(archive, "chunks.jsonl", _lines(asdict(row) for row in rows))
            for embedder, vectors in self.publisher.contents(members, rows).vectors.items():
                data = io.BytesIO()
                np.save(data, vectors)
                _add(archive, f"vectors/{embedder}.npy", data.getvalue())
        draft.replace(path)
        return len(members)

    def _members(self, corpus: str, name: str) -> Sequence[Member]:
        self.store.snapshot(corpus, name)
        return self.store.members(corpus, name)

    def _exported(self, member: Member) -> dict[str, object]:
        document = self.store.document(member.doc_id, member.version)
        return {**asdict(member), "title": document.title, "text": document.parsed.text}

    def _document_faults(self, member: Member, chunker: str) -> Iterator[str]:
        document = self.store.document(member.doc_id, member.version)
        if version_of(document.parsed, document.sha256, document.parser) != member.version:
            yield f"{member.uri}: the text is not the one that its version is named after"
        key = (member.doc_id, member.version)
        for row in self.store.chunk_rows([key], chunker)[key]:
            text = document.parsed.text[row.start : row.end]
            chunk = Chunk(row.doc_id, row.version, row.start, row.end, text, row.context)
            if chunk_sha256(chunk) != row.text_sha256:
                yield f"{member.uri}: characters {row.start} to {row.end} are not those that were embedded"

    def _vector_faults(self, corpus: str, name: str, members: Sequence[Member]) -> Iterator[str]:
        """Each row asked for by its own vector must come first, or score as much as what does."""
        rows = self.publisher.rows(members)
        index = self.publisher.indexes.open(corpus, name)
        owner = {(member.doc_id, member.version): member for member in members}
        for embedder, vectors in self.publisher.contents(members, rows).vectors.items():
            if embedder not in index.embedders:
                yield f"the index has no vectors by {embedder}"
                continue
            for number, (row, own) in enumerate(zip(rows, vectors, strict=True)):
                member = owner[row.doc_id, row.version]
                hits = index.nearest(embedder, own, 1, Scope(member.labels.access()))
                place = index.places([number])[0]
                if place != (row.doc_id, row.version, row.start, row.end):
                    yield f"{member.uri}: row {number} of the index is another chunk"
                elif not len(hits.rows) or hits.scores[0] < SELF_SCORE * max(LEAST_SQUARE, float(own @ own)):
                    yield f"{member.uri}: the vector by {embedder} of characters {row.start} to {row.end} is not found"


def _plain(value: object) -> object:
    """A value as JSON brings it back: tuples are lists."""
    return json.loads(json.dumps(value))


def _lines(rows: Iterator[dict[str, object]]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False, sort_keys=True).encode() + b"\n" for row in rows)


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)
