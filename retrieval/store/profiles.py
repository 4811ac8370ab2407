"""Profiles of document versions, which contracts are checked on."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Engine, select, tuple_

from retrieval.contract.profile import PROFILE, Profile
from retrieval.store.statements import insert_or_ignore
from retrieval.store.tables import profiles

_BATCH = 300


class ProfileStore:
    """Profiles by document version and by the version of their computation."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writes = engine.execution_options(write=True)

    def get(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Profile]:
        """The profiles that are known, by (doc_id, version)."""
        found = {}
        with self._engine.connect() as db:
            for start in range(0, len(keys), _BATCH):
                query = select(profiles).where(
                    profiles.c.computation == PROFILE,
                    tuple_(profiles.c.doc_id, profiles.c.version).in_(keys[start : start + _BATCH]),
                )
                for row in db.execute(query):
                    found[row.doc_id, row.version] = _loaded(row.profile)
        return found

    def put(self, key: tuple[str, str], profile: Profile) -> None:
        """Keep a profile; keeping it again changes nothing."""
        said = json.dumps({**asdict(profile), "modified": profile.modified.isoformat()}, ensure_ascii=False)
        row = {"doc_id": key[0], "version": key[1], "computation": PROFILE, "profile": said}
        with self._writes.begin() as db:
            db.execute(insert_or_ignore(self._engine, profiles), row)


def _loaded(said: str) -> Profile:
    row = json.loads(said)
    row |= {name: tuple(row[name]) for name in ("lines", "minhash")}
    return Profile(**{**row, "modified": datetime.fromisoformat(row["modified"])})
