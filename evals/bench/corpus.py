"""Bench rows through the real ingest: only the reading of files is left out."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from evals.bench.read import DocumentRow
from retrieval.canonical import CanonicalText
from retrieval.errors import ParseFailure
from retrieval.files import SourceFile
from retrieval.types import IngestReport, ParsedFile, ReasonCode

if TYPE_CHECKING:
    from app.bootstrap import Services
    from retrieval.sources.port import Progress

_SOURCE = "bench"
_NOWHERE = Path("/nonexistent")
"""No row has a file: an id that looks like a path must open none."""
_WHEN = datetime(2026, 1, 1, tzinfo=UTC)


class RowsAsFiles:
    """Hands rows to an ingest as if they had been parsed from files; a row's id is its uri."""

    def __init__(self, rows: Sequence[DocumentRow]) -> None:
        self._rows = {row.id: row for row in rows}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def files(self) -> list[SourceFile]:
        """One for each row."""
        return [SourceFile(uri, _NOWHERE, _SOURCE) for uri in self._rows]

    def parse_all(self, files: Iterable[tuple[str, Path]]) -> Iterator[tuple[str, ParsedFile | ParseFailure]]:
        """The rows as parsed files, in order; a row without text is quarantined like an empty file."""
        for uri, _ in files:
            row = self._rows[uri]
            text = CanonicalText()
            text.block(row.text)
            parsed = text.build("text/plain", row.title)
            if parsed.text:
                yield uri, ParsedFile(hashlib.sha256(row.text.encode()).hexdigest(), _WHEN, parsed)
            else:
                yield uri, ParseFailure(ReasonCode.EMPTY, "no text")


def ingest_rows(
    services: "Services", rows: Sequence[DocumentRow], corpus: str, progress: "Progress | None" = None
) -> IngestReport:
    """Bring a corpus to the state of `rows`; texts that the home has vectors for are not embedded again.

    Raises:
        IngestRunning: Another process ingests into the corpus.
    """
    parser = RowsAsFiles(rows)
    ingestor = replace(services.ingestor, open_parser=lambda: parser)
    return ingestor.ingest(parser.files(), corpus, prune=[_SOURCE], progress=progress)


def corpus_name(path: Path) -> str:
    """A name for the corpus of a bench folder, in the characters that a corpus may have."""
    return "bench-" + (re.sub(r"[^a-z0-9]+", "-", path.resolve().name.lower()).strip("-") or "set")[:50]
