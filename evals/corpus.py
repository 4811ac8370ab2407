"""The documents of golden sets, in the snapshot that a run reads."""

from collections.abc import Sequence
from pathlib import Path

from app.bootstrap import Services
from evals.errors import CorpusNotReady
from evals.evidence import SnapshotTexts
from retrieval.files import folders as sources
from retrieval.files import list_files
from retrieval.ingest import Progress


def ready_corpus(services: Services, folders: Sequence[Path], corpus: str, progress: Progress | None) -> SnapshotTexts:
    """Bring a corpus to the state of the folders; where it is already in that state, nothing is parsed or embedded.

    Raises:
        CorpusNotReady: A document was quarantined: measuring without it would measure something else.
        PathNotFound: A folder is missing.
        IngestRunning: Another process ingests into the corpus.
    """
    report = services.ingestor.ingest(list_files(folders), corpus, prune=sources(folders), progress=progress)
    if report.quarantined:
        rows = "; ".join(f"{row.uri} ({row.code}: {row.detail})" for row in report.quarantined[:3])
        raise CorpusNotReady(
            f"{len(report.quarantined)} documents for the corpus '{corpus}' could not be ingested: {rows}"
        )
    return SnapshotTexts(services.corpora, services.reader, corpus, report.snapshot)
