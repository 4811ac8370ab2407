"""What was found at the door in each document version, and how its text leads back to the file's."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple

from sqlalchemy import Engine, select, tuple_

from retrieval.redaction import Edit, OffsetMap
from retrieval.store.statements import batches, insert_or_ignore
from retrieval.store.tables import scrubs

Key = tuple[str, str]


class ScrubStore:
    """Counts by kind, and offset maps, of versions that passed a door. No value of personal data is kept."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writes = engine.execution_options(write=True)

    def put(self, rows: Sequence[tuple[Key, str, Mapping[str, int], OffsetMap]]) -> None:
        """Keep (version, transform, finds by kind, offsets) of each; keeping them again changes nothing."""
        values = [
            {
                "doc_id": key[0],
                "version": key[1],
                "transform": transform,
                "found": json.dumps(dict(found), sort_keys=True),
                "edits": json.dumps([astuple(edit) for edit in offsets.edits]),
            }
            for key, transform, found, offsets in rows
        ]
        if values:
            with self._writes.begin() as db:
                db.execute(insert_or_ignore(self._engine, scrubs), values)

    def found(self, keys: Sequence[Key]) -> dict[Key, dict[str, int]]:
        """Finds by kind of each version that passed a door."""
        counts: dict[Key, dict[str, int]] = {}
        with self._engine.connect() as db:
            for batch in batches(keys):
                query = select(scrubs).where(tuple_(scrubs.c.doc_id, scrubs.c.version).in_(batch))
                counts.update({(row.doc_id, row.version): json.loads(row.found) for row in db.execute(query)})
        return counts

    def offsets(self, key: Key) -> OffsetMap:
        """How the text of a version leads back to the file's; of one that passed no door: as it is."""
        query = select(scrubs.c.edits).where(scrubs.c.doc_id == key[0], scrubs.c.version == key[1])
        with self._engine.connect() as db:
            said = db.scalar(query)
        return OffsetMap(tuple(Edit(*edit) for edit in json.loads(said))) if said else OffsetMap()
