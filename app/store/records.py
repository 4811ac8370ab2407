"""A turn as lineage needs it: what answered, over what, and how the words can be recognised."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from app.releases import Release
from app.settings import ChatSettings
from app.store.seal import Seal
from app.types import ChatRequest, ChatResult, Message, Usage
from retrieval.store.places import Held
from retrieval.types import Access, Scope


@dataclass(frozen=True, slots=True)
class UsedPassage:
    """A passage that the answer could draw on: characters of one version of a document, and its score then."""

    doc_id: str
    version: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """All that is kept of a turn. `question`, `answer` and `history` are None unless `chat.record_text` was on."""

    id: str
    created: datetime
    corpus: str
    snapshot: str
    provider: str
    abstained: bool
    reason: str
    scope: Scope
    """With the snapshot that answered."""
    release: Release | None
    """None: the turn is older than lineage."""
    question_hmac: str
    history_hmac: str
    """"": there was no history."""
    answer_sha256: str
    passages: tuple[UsedPassage, ...]
    citations: tuple[tuple[str, int, int], ...]
    """(doc_id, start, end) of each, in the order of the answer."""
    verdicts: tuple[Mapping[str, str], ...]
    """What each guard that ran said; none ran where it is empty."""
    usage: Usage
    timings_ms: Mapping[str, float]
    held: Mapping[str, Held]
    """By doc_id, what the snapshot still has of the documents."""
    question: str | None = None
    answer: str | None = None
    history: tuple[Message, ...] | None = None
    usage_by_provider: Mapping[str, Usage] = field(default_factory=dict)
    """Which model used what; empty in turns from before it was kept."""


def answer_sha256(answer: str) -> str:
    """The hash that a turn keeps of its answer."""
    return hashlib.sha256(answer.encode("utf-8", "surrogatepass")).hexdigest()


def lineage_values(
    result: ChatResult, asked: ChatRequest, held: Mapping[str, Held], seal: Seal, settings: ChatSettings
) -> dict[str, str | None]:
    """The columns that lineage needs. `held` says of each document, by doc_id, what the snapshot has of it."""
    scope = {"groups": sorted(asked.scope.access.groups), "where": dict(asked.scope.where)}
    passages = [
        [p.doc_id, held[p.doc_id].version if p.doc_id in held else "", p.start, p.end, p.score] for p in result.passages
    ]
    by_provider = {name: asdict(usage) for name, usage in result.usage_by_provider.items()}
    return {
        "question_hmac": seal.question(asked.question),
        "history_hmac": seal.history(asked.history),
        "answer_sha256": answer_sha256(result.answer),
        "scope": json.dumps(scope, sort_keys=True),
        "passages": json.dumps(passages),
        "verdicts": "[]",
        "usage": json.dumps(asdict(result.usage) | {"by_provider": by_provider}),
        "history": _history(asked, settings) if settings.record_text else None,
    }


def documents_of(row: Row[Any]) -> set[str]:
    """The ids of the documents that a row of `turns` names."""
    return {doc_id for doc_id, *_ in (*json.loads(row.passages), *json.loads(row.citations))}


def turn_record(row: Row[Any], held: Mapping[str, Held]) -> TurnRecord:
    """A row of `turns` joined with its release; `held` is what its snapshot still has of its documents."""
    said, usage = json.loads(row.scope), json.loads(row.usage)
    by_provider = {name: Usage(**used) for name, used in usage.pop("by_provider", {}).items()}
    access = Access(row.tenant, frozenset(said.get("groups", ())))
    return TurnRecord(
        id=row.id,
        created=row.created,
        corpus=row.corpus,
        snapshot=row.snapshot,
        provider=row.provider,
        abstained=row.abstained,
        reason=row.reason,
        scope=Scope(access, said.get("where", {}), row.snapshot),
        release=Release(**json.loads(row.manifest)) if row.manifest else None,
        question_hmac=row.question_hmac,
        history_hmac=row.history_hmac,
        answer_sha256=row.answer_sha256,
        passages=tuple(UsedPassage(*values) for values in json.loads(row.passages)),
        citations=tuple((doc_id, start, end) for doc_id, start, end in json.loads(row.citations)),
        verdicts=tuple(json.loads(row.verdicts)),
        usage=Usage(**usage),
        timings_ms=json.loads(row.timings_ms),
        held=held,
        question=row.question,
        answer=row.answer,
        history=None if row.history is None else messages(json.loads(row.history)),
        usage_by_provider=by_provider,
    )


def messages(pairs: list[list[Any]]) -> tuple[Message, ...]:
    """Messages of [role, content] pairs."""
    return tuple(Message(role, content) for role, content in pairs)


def _history(asked: ChatRequest, settings: ChatSettings) -> str | None:
    """The conversation as JSON; nothing of one that is over the bounds, for a part of it would replay wrongly."""
    size = sum(len(message.content) for message in asked.history)
    if len(asked.history) > settings.max_history_messages or size > settings.max_history_chars:
        return None
    return json.dumps([[message.role, message.content] for message in asked.history])
