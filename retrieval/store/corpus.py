"""What the retrieval room keeps in the database: document versions, snapshots, chunk spans, quarantine.

Versions, chunks and vectors are written before the snapshot that names them and never change afterwards; a snapshot
becomes visible in the one transaction of `publish`. So a reader sees a whole snapshot or the one before.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, bindparam, delete, insert, select, tuple_

from retrieval.errors import CorpusNotFound, DocumentNotFound, SnapshotNotFound
from retrieval.store.rows import Activation, ChunkRow, Member
from retrieval.store.statements import batches, insert_or_ignore
from retrieval.store.tables import activations, chunks, corpora, members, quarantine, snapshots, versions
from retrieval.types import (
    Access,
    Document,
    Labels,
    PageSpan,
    ParsedText,
    Quarantined,
    ReasonCode,
    Section,
    Snapshot,
    Stage,
)

_ACTIVE = select(corpora.c.active_snapshot).where(corpora.c.name == bindparam("corpus"))
"""Made once: every search asks it."""


class CorpusStore:
    """Documents and snapshots of all corpora."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writes = engine.execution_options(write=True)

    def close(self) -> None:
        """Close the connections to the database."""
        self._engine.dispose()

    def active(self, corpus: str) -> str:
        """The id of the snapshot that serves.

        Raises:
            CorpusNotFound: Nothing has been ingested into the corpus.
        """
        with self._engine.connect() as db:
            found = db.scalar(_ACTIVE, {"corpus": corpus})
        if found is None:
            raise CorpusNotFound(f"The corpus '{corpus}' is empty. Run: assay ingest PATH --corpus {corpus}")
        return str(found)

    def corpora(self) -> list[str]:
        """The names of all corpora that serve a snapshot."""
        with self._engine.connect() as db:
            return [str(name) for name in db.scalars(select(corpora.c.name).order_by(corpora.c.name))]

    def snapshot(self, corpus: str, snapshot_id: str) -> Snapshot:
        """One snapshot's own row.

        Raises:
            SnapshotNotFound: The corpus has no such snapshot.
        """
        query = select(snapshots).where(snapshots.c.corpus == corpus, snapshots.c.id == snapshot_id)
        with self._engine.connect() as db:
            row = db.execute(query).one_or_none()
        if row is None:
            raise SnapshotNotFound(f"The corpus '{corpus}' has no snapshot '{snapshot_id}'.")
        return Snapshot(row.id, row.corpus, row.created, row.documents, row.chunks)

    def members(self, corpus: str, snapshot_id: str) -> list[Member]:
        """The documents of a snapshot, tenant by tenant, in the order of their uris."""
        query = (
            select(members, versions.c.uri, versions.c.sha256, versions.c.parser)
            .join(versions, (versions.c.doc_id == members.c.doc_id) & (versions.c.version == members.c.version))
            .where(members.c.corpus == corpus, members.c.snapshot == snapshot_id)
        )
        with self._engine.connect() as db:
            rows = sorted(db.execute(query), key=lambda row: (row.tenant, row.uri))  # databases collate differently
        return [Member(r.doc_id, r.version, r.uri, r.sha256, r.parser, r.source, _labels(r)) for r in rows]

    def labels(self, corpus: str, snapshot_id: str, doc_ids: Collection[str]) -> dict[str, Labels]:
        """The labels of documents as a snapshot holds them; one that it does not hold is left out."""
        found = {}
        with self._engine.connect() as db:
            for batch in batches(sorted(doc_ids)):
                query = select(members).where(
                    members.c.corpus == corpus, members.c.snapshot == snapshot_id, members.c.doc_id.in_(batch)
                )
                found.update({str(row.doc_id): _labels(row) for row in db.execute(query)})
        return found

    def document(self, doc_id: str, version: str) -> Document:
        """One version of a document.

        Raises:
            DocumentNotFound: No such version.
        """
        query = select(versions).where(versions.c.doc_id == doc_id, versions.c.version == version)
        with self._engine.connect() as db:
            row = db.execute(query).one_or_none()
        if row is None:
            raise DocumentNotFound(f"No document '{doc_id}' with version '{version}'.")
        parsed = ParsedText(
            text=row.text,
            media_type=row.media_type,
            title=row.title,
            language=row.language,
            sections=tuple(Section(**section) for section in json.loads(row.sections)),
            pages=tuple(PageSpan(**page) for page in json.loads(row.pages)),
        )
        return Document(row.doc_id, row.version, row.uri, row.sha256, row.parser, row.modified, parsed)

    def texts(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """The canonical text of each (doc_id, version); a few at a time, for texts are long."""
        query = select(versions.c.doc_id, versions.c.version, versions.c.text)
        with self._engine.connect() as db:
            rows = db.execute(query.where(tuple_(versions.c.doc_id, versions.c.version).in_(keys)))
            return {(row.doc_id, row.version): row.text for row in rows}

    def version_in(self, doc_id: str, snapshot_id: str | None, access: Access | None = None) -> tuple[str, str]:
        """The version of a document in a snapshot, or in the snapshot that serves.

        Args:
            doc_id: Which document.
            snapshot_id: In which snapshot; None for the one that serves.
            access: Who asks; None for whoever holds this machine. What may not be seen is not there.

        Returns:
            (snapshot id, version).

        Raises:
            DocumentNotFound: The document is not in that snapshot, or in none that serves.
        """
        query = select(members).where(members.c.doc_id == doc_id)
        if snapshot_id is None:
            query = query.join(
                corpora, (corpora.c.name == members.c.corpus) & (corpora.c.active_snapshot == members.c.snapshot)
            )
        else:
            query = query.where(members.c.snapshot == snapshot_id)
        with self._engine.connect() as db:
            row = db.execute(query.limit(1)).one_or_none()
        if row is None or (access is not None and not access.sees(_labels(row))):
            where = f"snapshot '{snapshot_id}'" if snapshot_id else "any snapshot that serves"
            raise DocumentNotFound(f"No document '{doc_id}' in {where}.")
        return row.snapshot, row.version

    def put_document(self, document: Document, chunker: str, rows: Sequence[ChunkRow]) -> None:
        """Write a version with its chunks, in one transaction; writing it again changes nothing."""
        self.put_documents([(document, rows)], chunker)

    def put_documents(self, documents: Sequence[tuple[Document, Sequence[ChunkRow]]], chunker: str) -> None:
        """Write versions with their chunks, all in one transaction: its wait for the disk is what costs."""
        if not documents:
            return
        keyed = [
            {**asdict(row), "chunker": chunker, "ordinal": i} for _, rows in documents for i, row in enumerate(rows)
        ]
        with self._writes.begin() as db:
            db.execute(insert_or_ignore(self._engine, versions), [_version(document) for document, _ in documents])
            if keyed:
                db.execute(insert_or_ignore(self._engine, chunks), keyed)

    def chunk_rows(self, keys: Iterable[tuple[str, str]], chunker: str) -> dict[tuple[str, str], list[ChunkRow]]:
        """The chunks of each (doc_id, version) as `chunker` cut it, in order; none where it has not yet."""
        found: dict[tuple[str, str], list[ChunkRow]] = {key: [] for key in keys}
        with self._engine.connect() as db:
            for batch in batches(list(found)):
                of_these = tuple_(chunks.c.doc_id, chunks.c.version).in_(batch)
                query = select(chunks).where(of_these, chunks.c.chunker == chunker)
                for row in db.execute(query.order_by(chunks.c.doc_id, chunks.c.version, chunks.c.ordinal)):
                    chunk = ChunkRow(row.doc_id, row.version, row.start, row.end, row.context, row.text_sha256)
                    found[row.doc_id, row.version].append(chunk)
        return found

    def publish(self, snapshot: Snapshot, manifest: str, documents: Sequence[Member], by: Activation) -> None:
        """Write a snapshot and make it the one that serves, in one transaction."""
        key = {"corpus": snapshot.corpus, "snapshot": snapshot.id}
        with self._writes.begin() as db:
            exists = db.scalar(
                select(snapshots.c.id).where(snapshots.c.corpus == snapshot.corpus, snapshots.c.id == snapshot.id)
            )
            if exists is None:
                db.execute(insert(snapshots), {**asdict(snapshot), "manifest": manifest})
            else:  # the same content may have come from other folders this time
                db.execute(
                    delete(members).where(members.c.corpus == snapshot.corpus, members.c.snapshot == snapshot.id)
                )
            if documents:
                db.execute(
                    insert(members),
                    [
                        {**key, "doc_id": d.doc_id, "version": d.version, "source": d.source, **_said(d.labels)}
                        for d in documents
                    ],
                )
            _activate(db, snapshot.corpus, snapshot.id, by)

    def activate(self, corpus: str, snapshot_id: str, by: Activation) -> None:
        """Make a known snapshot the one that serves.

        Raises:
            SnapshotNotFound: The corpus has no such snapshot.
        """
        self.snapshot(corpus, snapshot_id)
        with self._writes.begin() as db:
            _activate(db, corpus, snapshot_id, by)

    def activations(self, corpus: str) -> list[Activation]:
        """Every switch of a corpus, oldest first."""
        query = select(activations).where(activations.c.corpus == corpus).order_by(activations.c.id)
        with self._engine.connect() as db:
            return [Activation(row.who, row.contract, row.snapshot, row.at) for row in db.execute(query)]

    def manifest(self, corpus: str, snapshot_id: str) -> dict[str, Any]:
        """What a snapshot was made of.

        Raises:
            SnapshotNotFound: The corpus has no such snapshot.
        """
        query = select(snapshots.c.manifest).where(snapshots.c.corpus == corpus, snapshots.c.id == snapshot_id)
        with self._engine.connect() as db:
            found = db.scalar(query)
        if found is None:
            raise SnapshotNotFound(f"The corpus '{corpus}' has no snapshot '{snapshot_id}'.")
        return dict(json.loads(found))

    def newest(self, corpus: str, count: int) -> list[str]:
        """The ids of the newest snapshots, newest first."""
        query = (
            select(snapshots.c.id).where(snapshots.c.corpus == corpus).order_by(snapshots.c.created.desc()).limit(count)
        )
        with self._engine.connect() as db:
            return [str(found) for found in db.scalars(query)]

    def record_quarantine(self, corpus: str, rows: Sequence[Quarantined], cleared: Iterable[str]) -> None:
        """Replace the quarantine rows of the files just seen; `cleared` are the uris that are well again."""
        touched = sorted({*cleared, *(row.uri for row in rows)})
        now = datetime.now(UTC)
        with self._writes.begin() as db:
            for batch in batches(touched):
                db.execute(delete(quarantine).where(quarantine.c.corpus == corpus, quarantine.c.uri.in_(batch)))
            values = [{**asdict(row), "corpus": corpus, "seen": now} for row in rows]
            if values:
                db.execute(insert_or_ignore(self._engine, quarantine), values)

    def quarantined(self, corpus: str) -> list[Quarantined]:
        """The files of a corpus that could not become documents, by uri."""
        query = select(quarantine).where(quarantine.c.corpus == corpus).order_by(quarantine.c.uri)
        with self._engine.connect() as db:
            return [
                Quarantined(row.uri, ReasonCode(row.code), row.detail, Stage(row.stage)) for row in db.execute(query)
            ]


def _activate(db: Connection, corpus: str, snapshot: str, by: Activation) -> None:
    active = db.scalar(select(corpora.c.active_snapshot).where(corpora.c.name == corpus))
    db.execute(delete(corpora).where(corpora.c.name == corpus))
    db.execute(insert(corpora), {"name": corpus, "active_snapshot": snapshot})
    if active != snapshot:
        row = {"corpus": corpus, "snapshot": snapshot, "at": datetime.now(UTC), "who": by.who, "contract": by.contract}
        db.execute(insert(activations), row)


def _version(document: Document) -> dict[str, Any]:
    parsed = document.parsed
    return {
        "doc_id": document.doc_id,
        "version": document.version,
        "uri": document.uri,
        "sha256": document.sha256,
        "parser": document.parser,
        "modified": document.modified,
        "media_type": parsed.media_type,
        "title": parsed.title,
        "language": parsed.language,
        "text": parsed.text,
        "sections": json.dumps([asdict(section) for section in parsed.sections], ensure_ascii=False),
        "pages": json.dumps([asdict(page) for page in parsed.pages], ensure_ascii=False),
    }


def _said(labels: Labels) -> dict[str, str]:
    return {
        "tenant": labels.tenant,
        "groups": json.dumps(labels.groups, ensure_ascii=False),
        "attributes": json.dumps(dict(labels.attributes), ensure_ascii=False, sort_keys=True),
    }


def _labels(row: Row[Any]) -> Labels:
    return Labels(row.tenant, tuple(json.loads(row.groups)), json.loads(row.attributes))
