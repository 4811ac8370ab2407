"""What exactly answered a turn: release, snapshot, documents, transforms, quotes. Reading only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from app.costs import load_prices, total_usd
from app.releases import deviations
from app.store.records import TurnRecord
from retrieval.errors import CorpusNotFound, DocumentNotFound, SnapshotNotFound
from retrieval.snapshots import Snapshots
from retrieval.store.corpus import CorpusStore
from retrieval.store.places import Held
from retrieval.store.rows import Activation

_NO_TRANSFORM = {"corpus", "documents"}
_IN_ORDER = {"parser": 0, "chunker": 2, "index": 3, "embedders": 4}
"""The order in which documents go through them; one that is not named here stands between parser and chunker."""


@dataclass(frozen=True, slots=True)
class SnapshotLineage:
    """The snapshot that was searched: what made it of its documents, and who let it serve."""

    id: str
    created: datetime
    documents: int
    chunks: int
    transforms: Mapping[str, str]
    """By name, in order: all that its manifest says of how a file becomes an index."""
    activations: tuple[Activation, ...]
    serves: bool
    indexed: bool


@dataclass(frozen=True, slots=True)
class DocumentLineage:
    """A document that the answer could draw on. What is no longer stored is "" or None."""

    doc_id: str
    version: str
    uri: str
    title: str
    source: str
    """The folder, file, repository or site that it was read from."""
    sha256: str
    parser: str
    modified: datetime | None
    cited: bool


@dataclass(frozen=True, slots=True)
class QuoteLineage:
    """Characters that the answer cited; `quote` and its hash are None where the document is no longer stored."""

    doc_id: str
    version: str
    uri: str
    start: int
    end: int
    quote: str | None
    quote_sha256: str | None


@dataclass(frozen=True, slots=True)
class Lineage:
    """All that is known of a turn."""

    turn: TurnRecord
    snapshot: SnapshotLineage | None
    """None: it is no longer stored."""
    documents: tuple[DocumentLineage, ...]
    quotes: tuple[QuoteLineage, ...]
    settings: Mapping[str, str]
    """Those of the release that are not this version's defaults."""
    cost_usd: float | None
    """At this version's prices; None where the price is not known."""


def lineage_of(turn: TurnRecord, snapshots: Snapshots) -> Lineage:
    """Gather what the stores know of a turn."""
    store = snapshots.store
    versions = {passage.doc_id: passage.version for passage in turn.passages}
    cited = {doc_id for doc_id, _, _ in turn.citations}
    named = dict.fromkeys([*versions, *cited])
    unknown = Held("", "")
    kept = {doc_id: versions.get(doc_id) or turn.held.get(doc_id, unknown).version for doc_id in named}
    return Lineage(
        turn=turn,
        snapshot=_snapshot(turn, snapshots),
        documents=tuple(
            _document(store, doc_id, version, turn.held.get(doc_id, unknown).source, cited=doc_id in cited)
            for doc_id, version in kept.items()
        ),
        quotes=tuple(_quote(store, doc_id, kept[doc_id], start, end) for doc_id, start, end in turn.citations),
        settings=deviations(turn.release) if turn.release else {},
        cost_usd=total_usd(turn.usage_by_provider or {turn.provider: turn.usage}, load_prices()),
    )


def transforms_of(manifest: Mapping[str, object]) -> dict[str, str]:
    """What a snapshot's documents went through, as its manifest names it, in order."""
    names = sorted(manifest.keys() - _NO_TRANSFORM, key=lambda name: (_IN_ORDER.get(name, 1), name))
    return {name: _stated(manifest[name]) for name in names}


def _stated(value: object) -> str:
    return " + ".join(map(str, value)) if isinstance(value, list) else str(value)


def _snapshot(turn: TurnRecord, snapshots: Snapshots) -> SnapshotLineage | None:
    store = snapshots.store
    try:
        found = store.snapshot(turn.corpus, turn.snapshot)
        manifest = store.manifest(turn.corpus, turn.snapshot)
        active = store.active(turn.corpus)
    except (SnapshotNotFound, CorpusNotFound):
        return None
    return SnapshotLineage(
        id=found.id,
        created=found.created,
        documents=found.documents,
        chunks=found.chunks,
        transforms=transforms_of(manifest),
        activations=tuple(a for a in store.activations(turn.corpus) if a.snapshot == found.id),
        serves=active == found.id,
        indexed=snapshots.publisher.indexes.holds(turn.corpus, found.id),
    )


def _document(store: CorpusStore, doc_id: str, version: str, source: str, *, cited: bool) -> DocumentLineage:
    try:
        held = store.document(doc_id, version)
    except DocumentNotFound:
        return DocumentLineage(doc_id, version, "", "", source, "", "", None, cited)
    return DocumentLineage(
        doc_id, version, held.uri, held.title, source, held.sha256, held.parser, held.modified, cited
    )


def _quote(store: CorpusStore, doc_id: str, version: str, start: int, end: int) -> QuoteLineage:
    try:
        held = store.document(doc_id, version)
    except DocumentNotFound:
        return QuoteLineage(doc_id, version, "", start, end, None, None)
    quote = held.parsed.text[start:end]
    return QuoteLineage(doc_id, version, held.uri, start, end, quote, sha256(quote.encode()).hexdigest())
