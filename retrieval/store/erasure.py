"""Reads all that the room keeps, to find what must go, and takes it out. Every deletion may be repeated."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Table, delete, func, select, tuple_, update

from retrieval.store.statements import batches
from retrieval.store.tables import (
    activations,
    chunks,
    corpora,
    members,
    profiles,
    quarantine,
    scrubs,
    snapshots,
    vectors,
    versions,
)

Key = tuple[str, str]
"""(doc_id, version)."""
REDACTED = "[erased]"
_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Held:
    """A stored version with every word that is kept of it."""

    doc_id: str
    version: str
    uri: str
    sha256: str
    title: str
    text: str
    further: str
    """Section titles and page labels, as JSON."""

    @property
    def key(self) -> Key:
        """What names it."""
        return self.doc_id, self.version


@dataclass(frozen=True, slots=True)
class Place:
    """A version's place in a snapshot, with what is said of it there."""

    corpus: str
    snapshot: str
    doc_id: str
    version: str
    source: str
    labels: str
    """Tenant, groups and attributes, as JSON."""


class ErasureStore:
    """The room's tables, as an erasure needs them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writes = engine.execution_options(write=True)

    def corpora(self) -> list[str]:
        """Every corpus that has a snapshot or a quarantined file."""
        with self._engine.connect() as db:
            found: set[str] = set()
            for column in (snapshots.c.corpus, quarantine.c.corpus, corpora.c.name):
                found.update(db.scalars(select(column).distinct()))
        return sorted(found)

    def keys(self) -> list[Key]:
        """What names every stored version."""
        with self._engine.connect() as db:
            return [(row.doc_id, row.version) for row in db.execute(select(versions.c.doc_id, versions.c.version))]

    def versions(self) -> Iterator[Held]:
        """All stored versions, few in memory at once."""
        with self._engine.connect() as db:
            for row in db.execute(select(versions).execution_options(yield_per=_AT_ONCE)):
                further = f"{row.sections}\n{row.pages}"
                yield Held(row.doc_id, row.version, row.uri, row.sha256, row.title, row.text, further)

    def places(self) -> Iterator[Place]:
        """All members of all snapshots."""
        with self._engine.connect() as db:
            for row in db.execute(select(members).execution_options(yield_per=1_000)):
                labels = f"{row.tenant}\n{row.groups}\n{row.attributes}"
                yield Place(row.corpus, row.snapshot, row.doc_id, row.version, row.source, labels)

    def quarantined(self) -> Iterator[tuple[str, str, str]]:
        """(corpus, uri, detail) of all quarantined files."""
        with self._engine.connect() as db:
            for row in db.execute(select(quarantine).execution_options(yield_per=1_000)):
                yield row.corpus, row.uri, row.detail

    def chunkers(self) -> list[str]:
        """Every chunker that cut a stored version."""
        with self._engine.connect() as db:
            return [str(name) for name in db.scalars(select(chunks.c.chunker).distinct().order_by(chunks.c.chunker))]

    def chunk_count(self, keys: Collection[Key]) -> int:
        """How many chunks the versions have, by all chunkers."""
        with self._engine.connect() as db:
            query = select(func.count()).select_from(chunks)
            of = (tuple_(chunks.c.doc_id, chunks.c.version).in_(batch) for batch in batches(sorted(keys)))
            return sum(int(db.scalar(query.where(these)) or 0) for these in of)

    def vectors(self, hashes: Collection[str]) -> Iterator[bytes]:
        """The vectors of texts, by every embedder, as their bytes are kept."""
        with self._engine.connect() as db:
            for batch in batches(sorted(hashes)):
                yield from db.scalars(select(vectors.c.vector).where(vectors.c.text_sha256.in_(batch)))

    def erase(self, keys: Collection[Key], hashes: Collection[str], receipt: str) -> Counter[str]:
        """Take versions out of every snapshot and manifest, then themselves, with chunks, profiles and vectors.

        One transaction: whoever reads sees all of it or nothing. Returns the rows by kind.
        """
        done: Counter[str] = Counter()
        with self._writes.begin() as db:
            for batch in batches(sorted(keys)):
                done["snapshots"] += self._leave_snapshots(db, batch, receipt)
                for table in (chunks, profiles, scrubs, versions):
                    done[table.name] += _delete(db, table, batch)
            for some in batches(sorted(hashes)):
                done["vectors"] += db.execute(delete(vectors).where(vectors.c.text_sha256.in_(some))).rowcount
        return done

    def redact(self, tells: Callable[[str], bool]) -> Counter[str]:
        """Take words out of columns that stay: sources of documents, who switched a snapshot."""
        done: Counter[str] = Counter()
        with self._writes.begin() as db:
            for name, column in (("sources", members.c.source), ("names", activations.c.who)):
                for value in [found for found in db.scalars(select(column).distinct()) if tells(found)]:
                    done[name] += db.execute(
                        update(column.table).where(column == value).values({column.name: REDACTED})
                    ).rowcount
        return done

    def drop_snapshots(self, corpus: str, names: Collection[str]) -> int:
        """Forget snapshots, not their documents' versions."""
        count = 0
        with self._writes.begin() as db:
            for batch in batches(sorted(names)):
                db.execute(delete(members).where(members.c.corpus == corpus, members.c.snapshot.in_(batch)))
                these = (snapshots.c.corpus == corpus) & snapshots.c.id.in_(batch)
                count += db.execute(delete(snapshots).where(these)).rowcount
        return count

    def placed(self) -> set[Key]:
        """The versions that some snapshot holds."""
        with self._engine.connect() as db:
            rows = db.execute(select(members.c.doc_id, members.c.version).distinct())
            return {(row.doc_id, row.version) for row in rows}

    def quarantined_before(self, before: datetime) -> list[tuple[str, str]]:
        """(corpus, uri) of files that were last seen to fail before a time."""
        with self._engine.connect() as db:
            rows = db.execute(select(quarantine.c.corpus, quarantine.c.uri).where(quarantine.c.seen < before))
            return [(row.corpus, row.uri) for row in rows]

    def drop_quarantined(self, rows: Collection[tuple[str, str]]) -> int:
        """Forget quarantined files by (corpus, uri)."""
        count = 0
        with self._writes.begin() as db:
            for batch in batches(sorted(rows)):
                condition = tuple_(quarantine.c.corpus, quarantine.c.uri).in_(batch)
                count += db.execute(delete(quarantine).where(condition)).rowcount
        return count

    def _leave_snapshots(self, db: Connection, keys: Sequence[Key], receipt: str) -> int:
        """Take versions out of the snapshots that hold them; returns how many places they had."""
        of_these = tuple_(members.c.doc_id, members.c.version).in_(keys)
        named = db.execute(select(members.c.corpus, members.c.snapshot).where(of_these).distinct()).all()
        count = db.execute(delete(members).where(of_these)).rowcount
        for corpus, snapshot in named:
            here = (snapshots.c.corpus == corpus) & (snapshots.c.id == snapshot)
            stated: dict[str, Any] = json.loads(db.scalar(select(snapshots.c.manifest).where(here)) or "{}")
            manifest = without(stated, set(keys), receipt)
            left = select(func.count()).select_from(members)
            inside = (members.c.doc_id == chunks.c.doc_id) & (members.c.version == chunks.c.version)
            cut = select(func.count()).select_from(members.join(chunks, inside))
            of_it = (members.c.corpus == corpus) & (members.c.snapshot == snapshot)
            values = {
                "manifest": json.dumps(manifest, sort_keys=True),
                "documents": db.scalar(left.where(of_it)),
                "chunks": db.scalar(cut.where(of_it, chunks.c.chunker == str(stated.get("chunker", "")))),
            }
            db.execute(update(snapshots).where(here).values(values))
        return count


def without(manifest: Mapping[str, Any], keys: Collection[Key], receipt: str) -> dict[str, Any]:
    """A manifest less some versions; under `erased`, by which receipt how many went, and the hash of what is left."""
    kept = [entry for entry in manifest["documents"] if (entry[0], entry[1]) not in keys]
    notes = {note["receipt"]: note["documents"] for note in manifest.get("erased", [])}
    notes[receipt] = notes.get(receipt, 0) + len(manifest["documents"]) - len(kept)
    left = {**manifest, "documents": kept}
    left.pop("erased", None)
    digest = hashlib.sha256(json.dumps(left, sort_keys=True).encode()).hexdigest()[:16]
    said = [{"receipt": name, "documents": documents, "left": digest} for name, documents in notes.items()]
    return {**left, "erased": said}


def _delete(db: Connection, table: Table, keys: Sequence[Key]) -> int:
    return db.execute(delete(table).where(tuple_(table.c.doc_id, table.c.version).in_(keys))).rowcount
