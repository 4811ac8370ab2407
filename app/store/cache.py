"""Answers that may be given again, within bounds of number, size and age."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, delete, func, select

from app.store.tables import cached_answers
from retrieval.store.statements import insert_or_ignore

_BATCH = 500


@dataclass(frozen=True, slots=True)
class CacheBounds:
    """How much is kept, and how long."""

    entries: int
    bytes: int
    age: timedelta


@dataclass(frozen=True, slots=True)
class CachedRow:
    """A row as it is found: `answer` is an entry's JSON."""

    id: int
    question: str
    answer: str


class CacheStore:
    """Rows under a `scope`, a hash of who asks what in which release and snapshot: nothing is found across scopes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writes = engine.execution_options(write=True)

    def get(self, scope: str, asked: str, after: datetime) -> CachedRow | None:
        """The answer to exactly what is asked, if it is not from before `after`."""
        query = select(cached_answers.c.id, cached_answers.c.question, cached_answers.c.answer).where(
            cached_answers.c.scope == scope, cached_answers.c.asked == asked, cached_answers.c.created >= after
        )
        with self._engine.connect() as db:
            row = db.execute(query).one_or_none()
        return CachedRow(*row) if row else None

    def vectors(self, scope: str, after: datetime, newest: int) -> list[tuple[int, bytes]]:
        """Ids and vectors of the newest questions of a scope."""
        query = (
            select(cached_answers.c.id, cached_answers.c.vector)
            .where(
                cached_answers.c.scope == scope,
                cached_answers.c.created >= after,
                cached_answers.c.vector.is_not(None),
            )
            .order_by(cached_answers.c.id.desc())
            .limit(newest)
        )
        with self._engine.connect() as db:
            return [(row.id, row.vector) for row in db.execute(query)]

    def at(self, row_id: int) -> CachedRow | None:
        """A row by its id; None if it went meanwhile."""
        query = select(cached_answers.c.id, cached_answers.c.question, cached_answers.c.answer)
        with self._engine.connect() as db:
            row = db.execute(query.where(cached_answers.c.id == row_id)).one_or_none()
        return CachedRow(*row) if row else None

    def put(self, scope: str, asked: str, kept: tuple[str, bytes | None, str], bounds: CacheBounds) -> None:
        """Keep (question, vector, answer), and remove what is too old, then the oldest of what is too much."""
        question, vector, answer = kept
        size = len(question.encode()) + len(vector or b"") + len(answer.encode())
        if size > bounds.bytes:
            return
        now = datetime.now(UTC)
        row = {"created": now, "scope": scope, "asked": asked, "question": question, "vector": vector}
        with self._writes.begin() as db:
            db.execute(delete(cached_answers).where(cached_answers.c.created < now - bounds.age))
            db.execute(insert_or_ignore(self._engine, cached_answers), {**row, "answer": answer, "bytes": size})
            entries, total = db.execute(select(func.count(), func.sum(cached_answers.c.bytes))).one()
            over = entries - bounds.entries, (total or 0) - bounds.bytes
            if over[0] > 0 or over[1] > 0:
                oldest = select(cached_answers.c.id, cached_answers.c.bytes).order_by(cached_answers.c.id)
                gone: list[int] = []
                freed = 0
                for found in db.execute(oldest):
                    if len(gone) >= over[0] and freed >= over[1]:
                        break
                    gone.append(found.id)
                    freed += found.bytes
                for start in range(0, len(gone), _BATCH):
                    db.execute(delete(cached_answers).where(cached_answers.c.id.in_(gone[start : start + _BATCH])))

    def drop(self, ids: Sequence[int]) -> None:
        """Remove rows."""
        with self._writes.begin() as db:
            for start in range(0, len(ids), _BATCH):
                db.execute(delete(cached_answers).where(cached_answers.c.id.in_(ids[start : start + _BATCH])))

    def drop_where(self, matches: Callable[[str], bool]) -> int:
        """Remove the rows whose answer, an entry's JSON, matches. Returns how many."""
        with self._engine.connect() as db:
            rows = db.execute(select(cached_answers.c.id, cached_answers.c.answer).execution_options(yield_per=500))
            gone = [row.id for row in rows if matches(row.answer)]
        self.drop(gone)
        return len(gone)

    def clear(self, before: datetime | None = None) -> int:
        """Remove everything, or what is from before a time. Returns how many rows."""
        gone = delete(cached_answers)
        with self._writes.begin() as db:
            return db.execute(gone if before is None else gone.where(cached_answers.c.created < before)).rowcount

    def size(self, before: datetime | None = None) -> tuple[int, int]:
        """Entries and bytes, of all or of what is from before a time."""
        query = select(func.count(), func.sum(cached_answers.c.bytes))
        with self._engine.connect() as db:
            row = db.execute(query if before is None else query.where(cached_answers.c.created < before)).one()
        return row[0], row[1] or 0
