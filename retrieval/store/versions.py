"""Which version of a document a snapshot holds."""

from collections.abc import Collection

from sqlalchemy import Connection, select

from retrieval.store.statements import batches
from retrieval.store.tables import members


def versions_in(db: Connection, corpus: str, snapshot: str, doc_ids: Collection[str]) -> dict[str, str]:
    """The version of each document; one that the snapshot does not hold is left out."""
    found: dict[str, str] = {}
    for batch in batches(sorted(doc_ids)):
        query = select(members.c.doc_id, members.c.version).where(
            members.c.corpus == corpus, members.c.snapshot == snapshot, members.c.doc_id.in_(batch)
        )
        found.update({str(row.doc_id): str(row.version) for row in db.execute(query)})
    return found
