"""Results as plain JSON values: the one form that HTTP, event streams and `--json` all send."""

from dataclasses import asdict
from typing import Any

from app.lineage import Lineage
from app.replay import Replay
from app.types import ChatResult, Claim
from retrieval.types import Document, IngestReport, Passage

Json = dict[str, Any]


def result_json(result: ChatResult) -> Json:
    """A whole turn."""
    return {
        "answer": result.answer,
        "abstained": result.abstained,
        "action": str(result.action),
        "reason": str(result.reason),
        "confidence": result.confidence,
        "missing": list(result.missing),
        "options": list(result.options),
        "claims": [claim_json(claim) for claim in result.claims],
        "dropped": list(result.dropped),
        "dropped_why": list(result.dropped_why),
        "passages": [passage_json(passage) for passage in result.passages],
        "corpus": result.corpus,
        "snapshot": result.snapshot,
        "provider": result.provider,
        "usage": asdict(result.usage),
        "usage_by_provider": {name: asdict(usage) for name, usage in result.usage_by_provider.items()},
        "cost_usd": result.cost_usd,
        "attempts": result.attempts,
        "degraded": list(result.degraded),
        "cached": result.cached,
        "timings_ms": dict(result.timings_ms),
        "turn_id": result.turn_id,
    }


def claim_json(claim: Claim) -> Json:
    """A claim with its citations."""
    return {
        "text": claim.text,
        "support": claim.support,
        "verdict": str(claim.verdict),
        "start": claim.start,
        "end": claim.end,
        "highlight": list(claim.highlight) if claim.highlight else None,
        "citations": [asdict(citation) for citation in claim.citations],
        "conflicts": [asdict(citation) for citation in claim.conflicts],
    }


def passage_json(passage: Passage) -> Json:
    """A passage with its score parts; where page and section change inside it is for citations only."""
    return {name: value for name, value in asdict(passage).items() if name != "places"}


def lineage_json(lineage: Lineage, replay: Replay | None = None) -> Json:
    """What answered a turn, and how it came out when it was run again."""
    found = asdict(lineage)
    found["turn"].pop("held")  # the documents have it
    scope = found["turn"]["scope"]
    found["turn"]["scope"] = {
        "tenant": scope["access"]["tenant"],
        "groups": sorted(scope["access"]["groups"]),
        "where": scope["where"],
    }
    if replay is not None:
        again = {name: value for name, value in asdict(replay).items() if name != "result"}
        found["replay"] = {"reproduced": replay.reproduced, **again, "answer": replay.result.answer}
    return found


def asker_lineage_json(lineage: Lineage) -> Json:
    """What answered a turn, for who asked: without its words, and without the accounts and folders of the machine."""
    found = lineage_json(lineage)
    turn, release = found["turn"], found["turn"]["release"]
    for hidden in ("question", "answer", "history", "question_hmac", "history_hmac"):
        turn.pop(hidden)
    if release is not None:
        release.pop("settings")
    if found["snapshot"] is not None:
        found["snapshot"]["activations"] = [{"at": row["at"]} for row in found["snapshot"]["activations"]]
    found["documents"] = [
        {name: value for name, value in row.items() if name != "source"} for row in found["documents"]
    ]
    found.pop("settings")
    return found


def document_json(document: Document, snapshot: str) -> Json:
    """A document as `snapshot` holds it; offsets of sections, pages and citations count in `text`."""
    parsed = document.parsed
    return {
        "doc_id": document.doc_id,
        "uri": document.uri,
        "title": document.title,
        "snapshot": snapshot,
        "media_type": parsed.media_type,
        "language": parsed.language,
        "sha256": document.sha256,
        "modified": document.modified.isoformat(),
        "text": parsed.text,
        "sections": [asdict(section) for section in parsed.sections],
        "pages": [asdict(page) for page in parsed.pages],
    }


def report_json(report: IngestReport) -> Json:
    """What an ingest did."""
    return {
        **asdict(report),
        "quarantined": [
            {"uri": row.uri, "code": str(row.code), "detail": row.detail, "stage": str(row.stage)}
            for row in report.quarantined
        ],
    }
