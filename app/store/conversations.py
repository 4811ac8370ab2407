"""Conversations that are kept: encrypted, for their owner alone, until they are not used for a while."""

import json
import logging
import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, delete, func, insert, select, update

from app.errors import ConfigError, ConversationNotFound
from app.signing import Sealing
from app.store.tables import conversation_messages, conversations
from app.types import CitedSpan, Message
from retrieval.store.statements import batches

MAX_OWNED = 1_000
"""Conversations of one owner; a further one takes the place of the one that was not used for the longest time."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a conversation is: a tenant's, and of the one key that began it ("": there are no keys)."""

    tenant: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message with the time at which it was kept."""

    created: datetime
    message: Message


class ConversationStore:
    """Who has another key, or is of another tenant, learns nothing: not even that a conversation is there."""

    def __init__(self, engine: Engine, seal: Callable[[], Sealing]) -> None:
        self._engine = engine
        self._writes = engine.execution_options(write=True)
        self._seal = seal

    def create(self, owner: Owner) -> str:
        """Begin a conversation and return its id."""
        now, name = datetime.now(UTC), secrets.token_hex(16)
        mine = _owned(select(conversations.c.id), owner).order_by(conversations.c.used.desc(), conversations.c.id)
        with self._writes.begin() as db:
            self._drop(db, list(db.scalars(mine.offset(MAX_OWNED - 1))))
            row = {"id": name, "tenant": owner.tenant, "owner": owner.key, "created": now, "used": now}
            db.execute(insert(conversations), row)
        return name

    def messages(self, name: str, owner: Owner, used_after: datetime) -> list[StoredMessage]:
        """What was said, oldest first.

        Raises:
            ConversationNotFound: The owner has none of this id that was used since.
        """
        with self._engine.connect() as db:
            self._known(db, name, owner, used_after)
            return [StoredMessage(row.created, _opened(row, seal)) for row, seal in self._rows(db, name)]

    def append(self, name: str, owner: Owner, said: Sequence[Message], keep: int) -> None:
        """Keep further messages; of all, the newest `keep` stay.

        Raises:
            ConversationNotFound: It went meanwhile.
        """
        now, seal = datetime.now(UTC), self._seal()
        rows = [{"conversation": name, "created": now, "sealed": _sealed(message, seal)} for message in said]
        of_it = conversation_messages.c.conversation == name
        with self._writes.begin() as db:
            self._known(db, name, owner, None)
            db.execute(insert(conversation_messages), rows)
            db.execute(update(conversations).where(conversations.c.id == name).values(used=now))
            newest = select(conversation_messages.c.id).where(of_it).order_by(conversation_messages.c.id.desc())
            old = list(db.scalars(newest.offset(keep)))
            for start in range(0, len(old), 500):
                some = conversation_messages.c.id.in_(old[start : start + 500])
                db.execute(delete(conversation_messages).where(some))

    def delete(self, name: str, owner: Owner) -> None:
        """Remove a conversation.

        Raises:
            ConversationNotFound: The owner has none of this id.
        """
        with self._writes.begin() as db:
            self._known(db, name, owner, None)
            self._drop(db, [name])

    def find(self, places: Collection[tuple[str, str, str]], tells: Callable[[str], bool]) -> list[str]:
        """Conversations that cite one of the places, (corpus, snapshot, doc_id), or tell of it."""
        cited = {(snapshot, doc_id) for _, snapshot, doc_id in places}
        found: dict[str, None] = {}
        with self._engine.connect() as db:
            for row, seal in self._rows(db):
                if row.conversation in found:
                    continue
                message = _opened(row, seal)
                if tells(message.content) or any((span.snapshot, span.doc_id) in cited for span in message.cited):
                    found[row.conversation] = None
        return list(found)

    def unused_since(self, before: datetime) -> list[str]:
        """Conversations that were last used before a time."""
        with self._engine.connect() as db:
            return list(db.scalars(select(conversations.c.id).where(conversations.c.used < before)))

    def erase(self, names: Sequence[str]) -> int:
        """Remove conversations. Returns how many there were."""
        gone = 0
        for batch in batches(names):
            with self._writes.begin() as db:
                gone += self._drop(db, batch)
        return gone

    def _rows(self, db: Connection, name: str | None = None) -> Iterator[tuple[Row[Any], Sealing]]:
        query = select(conversation_messages).order_by(conversation_messages.c.id)
        if name is not None:
            query = query.where(conversation_messages.c.conversation == name)
        seal = self._seal()
        for row in db.execute(query.execution_options(yield_per=500)):
            yield row, seal

    def _known(self, db: Connection, name: str, owner: Owner, used_after: datetime | None) -> None:
        query = _owned(select(conversations.c.id), owner).where(conversations.c.id == name)
        if used_after is not None:
            query = query.where(conversations.c.used >= used_after)
        if db.scalar(query) is None:
            raise ConversationNotFound("No such conversation is known: it may have expired, or be of another key.")

    def _drop(self, db: Connection, names: Sequence[str]) -> int:
        if not names:
            return 0
        db.execute(delete(conversation_messages).where(conversation_messages.c.conversation.in_(names)))
        return db.execute(delete(conversations).where(conversations.c.id.in_(names))).rowcount

    def count(self) -> int:
        """How many conversations are kept."""
        with self._engine.connect() as db:
            return db.scalar(select(func.count()).select_from(conversations)) or 0


def _owned(query: Select[Any], owner: Owner) -> Select[Any]:
    return query.where(conversations.c.tenant == owner.tenant, conversations.c.owner == owner.key)


def _sealed(message: Message, seal: Sealing) -> str:
    return seal.seal(json.dumps(asdict(message)).encode()).decode("ascii")


def _opened(row: Row[Any], seal: Sealing) -> Message:
    try:
        said = json.loads(seal.open(row.sealed.encode("ascii")))
    except ConfigError as error:  # without its key it is noise, which nobody can erase by its words either
        _log.warning("a message of conversation %s cannot be read: %s", row.conversation, error)
        return Message("user", "")
    return Message(said["role"], said["content"], tuple(CitedSpan(**span) for span in said["cited"]))
