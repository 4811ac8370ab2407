"""Where a snapshot has a document from, and in which version."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, select

from retrieval.store.statements import batches
from retrieval.store.tables import members


@dataclass(frozen=True, slots=True)
class Held:
    """A snapshot's version of a document, and the folder, file, repository or site that it was read from."""

    version: str
    source: str


def held_by(db: Connection, corpus: str, snapshot: str, doc_ids: Collection[str]) -> dict[str, Held]:
    """What a snapshot holds of each document; one that it does not hold is left out."""
    found: dict[str, Held] = {}
    for batch in batches(sorted(doc_ids)):
        query = select(members.c.doc_id, members.c.version, members.c.source).where(
            members.c.corpus == corpus, members.c.snapshot == snapshot, members.c.doc_id.in_(batch)
        )
        found.update({str(row.doc_id): Held(row.version, row.source) for row in db.execute(query)})
    return found
