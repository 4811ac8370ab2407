"""Turns, the feedback on them, and API keys."""

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Engine, Row, delete, func, insert, select

from app.errors import ConfigError, TurnNotFound
from app.releases import Release
from app.settings import ChatSettings
from app.store.records import TurnRecord, documents_of, lineage_values, turn_record
from app.store.seal import Seal
from app.store.tables import api_keys, feedback, releases, turns
from app.types import ChatRequest, ChatResult
from retrieval.store.places import held_by
from retrieval.store.statements import insert_or_ignore
from retrieval.types import NOBODY, Access

Rating = Literal["up", "down"]
MAX_NAME_CHARS = 80
"""Of a key and of a tenant."""


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """A turn as it was kept. Its words are None unless `chat.record_text` was on; `note` is of the latest rating."""

    id: str
    created: datetime
    corpus: str
    snapshot: str
    abstained: bool
    citations: tuple[tuple[str, int, int], ...]
    """(doc_id, start, end) of each, in the order of the answer."""
    question: str | None
    answer: str | None
    rating: Rating | None = None
    note: str = ""


class TurnStore:
    """What was answered from where, and what people thought of it."""

    def __init__(self, engine: Engine, seal: Seal, settings: ChatSettings) -> None:
        """`settings.record_text` keeps words too: they may hold personal data, so the default is not to."""
        self._engine = engine
        self._writes = engine.execution_options(write=True)
        self._settings = settings
        self.seal = seal

    def record(self, result: ChatResult, asked: ChatRequest, release: Release) -> None:
        """Keep a turn: by default what it drew on and keyed hashes of the words, not the words."""
        citations = [[c.doc_id, c.start, c.end] for claim in result.claims for c in claim.citations]
        values = {
            "id": result.turn_id,
            "created": datetime.now(UTC),
            "corpus": result.corpus,
            "snapshot": result.snapshot,
            "provider": result.provider,
            "abstained": result.abstained,
            "reason": str(result.reason),
            "citations": json.dumps(citations),
            "timings_ms": json.dumps(dict(result.timings_ms)),
            "question": result.question if self._settings.record_text else None,
            "answer": result.answer if self._settings.record_text else None,
            "tenant": result.tenant,
            "release": release.id,
        }
        cited = {passage.doc_id for passage in result.passages}
        manifest = json.dumps(asdict(release), sort_keys=True)
        known = {"id": release.id, "first_used": values["created"], "manifest": manifest}
        with self._writes.begin() as db:
            held = held_by(db, result.corpus, result.snapshot, cited)
            kept = lineage_values(result, asked, held, self.seal, self._settings)
            db.execute(insert_or_ignore(self._engine, releases), known)
            db.execute(insert(turns), {**values, **kept})

    def recorded(self, turn_id: str) -> TurnRecord:
        """All that is kept of a turn.

        Raises:
            TurnNotFound: No such turn.
        """
        query = select(turns, releases.c.manifest).outerjoin(releases, releases.c.id == turns.c.release)
        with self._engine.connect() as db:
            row = db.execute(query.where(turns.c.id == turn_id)).one_or_none()
            if row is None:
                raise TurnNotFound(f"No turn '{turn_id}' is known.")
            return turn_record(row, held_by(db, row.corpus, row.snapshot, documents_of(row)))

    def add_feedback(self, turn_id: str, rating: Rating, note: str, tenant: str = "") -> None:
        """Keep what a person thought of a turn.

        Raises:
            TurnNotFound: The tenant has no such turn.
        """
        with self._writes.begin() as db:
            if db.scalar(select(turns.c.id).where(turns.c.id == turn_id, turns.c.tenant == tenant)) is None:
                raise TurnNotFound(f"No turn '{turn_id}' is known.")
            db.execute(
                insert(feedback), {"turn_id": turn_id, "created": datetime.now(UTC), "rating": rating, "note": note}
            )

    def turn(self, turn_id: str) -> StoredTurn:
        """One turn with the latest rating of it.

        Raises:
            TurnNotFound: No such turn.
        """
        with self._engine.connect() as db:
            row = db.execute(_RATED.where(turns.c.id == turn_id)).one_or_none()
        if row is None:
            raise TurnNotFound(f"No turn '{turn_id}' is known.")
        return _stored(row)

    def rated_down(self) -> list[StoredTurn]:
        """The turns whose latest rating is a thumbs-down, oldest first."""
        with self._engine.connect() as db:
            rows = db.execute(_RATED.where(feedback.c.rating == "down").order_by(turns.c.created, turns.c.id))
            return [_stored(row) for row in rows]


class KeyStore:
    """API keys. Only hashes are kept: a key holds 256 random bits, so a plain SHA-256 cannot be searched."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writes = engine.execution_options(write=True)

    def create(self, name: str, access: Access = NOBODY, usd_per_day: float | None = None) -> str:
        """Make a key with its access, and what it may spend in a day, and return it; it cannot be shown again.

        Raises:
            ConfigError: The name is taken or no name, or a name is too long.
        """
        if name in ("", "*"):
            raise ConfigError("A key needs a name, and '*' stands for all of them.")
        if max(len(name), len(access.tenant)) > MAX_NAME_CHARS:
            raise ConfigError(f"Names of keys and tenants have at most {MAX_NAME_CHARS} characters.")
        key = f"assay_{secrets.token_urlsafe(32)}"
        with self._writes.begin() as db:
            if db.scalar(select(api_keys.c.name).where(api_keys.c.name == name)) is not None:
                raise ConfigError(f"A key named '{name}' exists. Choose another name or revoke it first.")
            row: dict[str, object] = {
                "name": name,
                "sha256": _sha256(key),
                "created": datetime.now(UTC),
                "tenant": access.tenant,
            }
            row["usd_per_day"] = usd_per_day
            db.execute(insert(api_keys), {**row, "groups": json.dumps(sorted(access.groups))})
        return key

    def all(self) -> list[tuple[str, Access]]:
        """The names of all keys, with their access."""
        with self._engine.connect() as db:
            return [(str(row.name), _access(row)) for row in db.execute(select(api_keys).order_by(api_keys.c.name))]

    def revoke(self, name: str) -> None:
        """Make a key worthless at once.

        Raises:
            ConfigError: No key has this name.
        """
        with self._writes.begin() as db:
            if db.execute(delete(api_keys).where(api_keys.c.name == name)).rowcount == 0:
                raise ConfigError(f"No key is named '{name}'. `assay keys list` shows the names.")

    def held(self, key: str) -> tuple[str, Access] | None:
        """A key's name and access; None: it is no key. The hash is looked up, so the time says nothing."""
        with self._engine.connect() as db:
            row = db.execute(select(api_keys).where(api_keys.c.sha256 == _sha256(key))).one_or_none()
        return (str(row.name), _access(row)) if row is not None else None

    def access(self, key: str) -> Access | None:
        """What a key gives access to; None: it is no key."""
        held = self.held(key)
        return held[1] if held else None

    def any(self) -> bool:
        """Whether there is a key at all."""
        with self._engine.connect() as db:
            return bool(db.scalar(select(func.count()).select_from(api_keys)))


_LATEST = select(func.max(feedback.c.id)).group_by(feedback.c.turn_id).scalar_subquery()
_RATED = select(turns, feedback.c.rating, feedback.c.note).outerjoin(
    feedback, (feedback.c.turn_id == turns.c.id) & feedback.c.id.in_(_LATEST)
)


def _stored(row: Row[Any]) -> StoredTurn:
    return StoredTurn(
        id=row.id,
        created=row.created,
        corpus=row.corpus,
        snapshot=row.snapshot,
        abstained=row.abstained,
        citations=tuple((doc_id, start, end) for doc_id, start, end in json.loads(row.citations)),
        question=row.question,
        answer=row.answer,
        rating=row.rating,
        note=row.note or "",
    )


def _access(row: Row[Any]) -> Access:
    return Access(row.tenant, frozenset(json.loads(row.groups)))


def _sha256(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
