"""Turns and feedback that hold what is erased, or are older than they may be; and what the database file keeps."""

import json
import sqlite3
import time
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, LargeBinary, MetaData, Row, String, delete, func, select
from sqlalchemy.exc import SAWarning

from app.signing import Keys
from app.store.cache import CacheStore
from app.store.conversations import ConversationStore
from app.store.kept import Kept
from app.store.tables import feedback, turns
from retrieval.store.erasure import ErasureStore
from retrieval.store.statements import batches
from retrieval.store.tombstones import Tombstones

COMPACT_TRIES, COMPACT_WAIT_S = 30, 1.0
"""How often, and with what pause, the database file is tried to be rewritten while others read."""

Tells = Callable[[str], bool]
_NO_WORDS = frozenset({"timings_ms", "usage"})


class TurnErasure:
    """Finds and deletes turns and feedback. A turn goes with all feedback on it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writes = engine.execution_options(write=True)

    def find(self, places: Collection[tuple[str, str, str]], tells: Tells) -> tuple[list[str], list[int]]:
        """Turns that cite one of the places, (corpus, snapshot, doc_id), or tell of it; and such feedback.

        Returns:
            Ids of turns, and ids of feedback on other turns.
        """
        cited = set(places)
        with self._engine.connect() as db:
            rows = db.execute(select(turns).execution_options(yield_per=500))
            found = [str(row.id) for row in rows if _cites(row, cited) or any(map(tells, _words(row)))]
            of_these = set(found)
            notes = db.execute(select(feedback.c.id, feedback.c.turn_id, feedback.c.note))
            return found, [row.id for row in notes if row.turn_id not in of_these and tells(row.note)]

    def erase(self, turn_ids: Sequence[str], feedback_ids: Sequence[int]) -> Counter[str]:
        """Delete turns with the feedback on them, and single feedback. Returns the rows by kind."""
        done: Counter[str] = Counter()
        with self._writes.begin() as db:
            for batch in batches(turn_ids):
                done["feedback"] += db.execute(delete(feedback).where(feedback.c.turn_id.in_(batch))).rowcount
                done["turns"] += db.execute(delete(turns).where(turns.c.id.in_(batch))).rowcount
            for start in range(0, len(feedback_ids), 500):
                some = feedback_ids[start : start + 500]
                done["feedback"] += db.execute(delete(feedback).where(feedback.c.id.in_(some))).rowcount
        return done

    def older(self, turns_before: datetime | None, feedback_before: datetime | None) -> Counter[str]:
        """How many turns and how much feedback are from before these times; None: none is."""
        with self._engine.connect() as db:
            counts = {
                table.name: db.scalar(select(func.count()).select_from(table).where(table.c.created < before)) or 0
                for table, before in ((turns, turns_before), (feedback, feedback_before))
                if before is not None
            }
        return Counter(counts)

    def erase_older(self, turns_before: datetime | None, feedback_before: datetime | None) -> Counter[str]:
        """Delete them, a few hundred in one transaction, so that nobody waits long."""
        done: Counter[str] = Counter()
        while turns_before is not None:
            with self._engine.connect() as db:
                some = list(db.scalars(select(turns.c.id).where(turns.c.created < turns_before).limit(500)))
            if not some:
                break
            done += self.erase(some, [])
        while feedback_before is not None:
            with self._engine.connect() as db:
                ids = list(db.scalars(select(feedback.c.id).where(feedback.c.created < feedback_before).limit(500)))
            if not ids:
                break
            done += self.erase([], ids)
        return done


class DatabaseFile:
    """The database as a whole: every cell of it, and the bytes that its file keeps of what is gone."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def is_file(self) -> bool:
        """Whether it is a file under ASSAY_HOME; otherwise its server's operator sees to its pages and logs."""
        return self._engine.dialect.name == "sqlite"

    def cells(self) -> Iterator[tuple[str, str | bytes]]:
        """("table.column", value) of every text and blob, also of tables that this version does not know."""
        known = MetaData()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SAWarning)  # types of extensions, which hold no text
            known.reflect(self._engine)
        with self._engine.connect() as db:
            for table in known.sorted_tables:
                columns = [column for column in table.c if isinstance(column.type, LargeBinary | String)]
                if not columns:
                    continue
                for row in db.execute(select(*columns).execution_options(yield_per=200)):
                    for column, value in zip(columns, row, strict=True):
                        if value is not None:
                            yield f"{table.name}.{column.name}", value

    def compact(self, tries: int = COMPACT_TRIES, wait_s: float = COMPACT_WAIT_S, *, rewrite: bool = True) -> str:
        """Rewrite the file without free pages and empty the write-ahead log. Returns why it failed, "" if it did not.

        Others may go on; a reader that stays in its transaction keeps the log from being emptied.
        """
        if not self.is_file:
            return ""
        why = "it could not be tried"
        for number in range(tries):
            if number:
                time.sleep(wait_s)
            connection = self._engine.raw_connection()  # a transaction, which the engine would begin, is refused here
            try:
                cursor = connection.cursor()
                cursor.execute("PRAGMA busy_timeout = 2000")
                if rewrite:
                    cursor.execute("VACUUM")
                busy, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                cursor.execute("PRAGMA busy_timeout = 15000")
                if not busy:
                    return ""
                why = "another process reads from it without end"
            except sqlite3.OperationalError as error:
                why = str(error)
            finally:
                connection.close()
        return why


@dataclass(frozen=True, slots=True)
class RemovalStores:
    """All stores that something is removed from."""

    erasures: ErasureStore
    tombstones: Tombstones
    turns: TurnErasure
    kept: Kept
    database: DatabaseFile

    @classmethod
    def over(cls, engine: Engine, keys: Keys) -> "RemovalStores":
        """The stores over one database; `keys` are the home's."""
        kept = Kept(ConversationStore(engine, keys.conversations), CacheStore(engine))
        stones = Tombstones(engine, keys.erasure)
        return cls(ErasureStore(engine), stones, TurnErasure(engine), kept, DatabaseFile(engine))


def _cites(row: Row[Any], places: Collection[tuple[str, str, str]]) -> bool:
    values = row._mapping
    named = [*json.loads(values["citations"]), *json.loads(values.get("passages") or "[]")]
    return any((row.corpus, row.snapshot, place[0]) in places for place in named)


def _words(row: Row[Any]) -> Iterator[str]:
    return (value for name, value in row._mapping.items() if isinstance(value, str) and name not in _NO_WORDS)
