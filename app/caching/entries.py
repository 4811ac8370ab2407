"""An answer as the cache keeps it: what it said and which places it could draw on. The sources' words are not kept."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from app.types import Action, ChatResult, Reason

AS_IT_SHOULD = frozenset({Reason.ANSWERED, Reason.CONFIDENT})
"""Reasons of answers that went as they should."""


@dataclass(frozen=True, slots=True)
class Place:
    """A passage by its place in a document, with the scores that it had."""

    doc_id: str
    start: int
    end: int
    score: float
    parts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Said:
    """A claim's words and where they stand in the answer."""

    text: str
    start: int
    end: int
    highlight: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A whole answer."""

    answer: str
    claims: tuple[Said, ...]
    places: tuple[Place, ...]
    provider: str
    reason: Reason
    confidence: float | None


def cacheable(result: ChatResult) -> bool:
    """Whether an answer may be given again: a whole one that went as it should."""
    return (
        result.action is Action.ANSWER
        and result.reason in AS_IT_SHOULD
        and bool(result.claims)
        and not (result.abstained or result.degraded or result.cached or result.missing)
    )


def entry_of(result: ChatResult) -> Entry:
    """What is kept of an answer."""
    return Entry(
        answer=result.answer,
        claims=tuple(Said(claim.text, claim.start, claim.end, claim.highlight) for claim in result.claims),
        places=tuple(Place(p.doc_id, p.start, p.end, p.score, dict(p.parts)) for p in result.passages),
        provider=result.provider,
        reason=result.reason,
        confidence=result.confidence,
    )


def written(entry: Entry) -> str:
    """As JSON."""
    return json.dumps(asdict(entry), ensure_ascii=False)


def read(text: str) -> Entry:
    """What `written` wrote."""
    said = json.loads(text)
    return Entry(
        answer=said["answer"],
        claims=tuple(_said(row) for row in said["claims"]),
        places=tuple(Place(**row) for row in said["places"]),
        provider=said["provider"],
        reason=Reason(said["reason"]),
        confidence=said["confidence"],
    )


def _said(row: Mapping[str, Any]) -> Said:
    highlight = row.get("highlight")
    return Said(row["text"], row["start"], row["end"], (highlight[0], highlight[1]) if highlight else None)
