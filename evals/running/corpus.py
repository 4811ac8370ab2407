"""The documents of golden sets, in the snapshot that a run reads."""

from app.bootstrap import Services
from evals.errors import CorpusNotReady
from evals.golden.sets import GoldenSet
from evals.running.evidence import SnapshotTexts
from retrieval.files import folders as sources
from retrieval.files import list_files
from retrieval.sources.port import Progress


def ready_corpus(services: Services, golden: GoldenSet, progress: Progress | None) -> SnapshotTexts:
    """Bring a set's corpus to the state of its folders; where it already is, nothing is parsed or embedded.

    Raises:
        CorpusNotReady: A document was quarantined: measuring without it would measure something else.
        PathNotFound: A folder is missing.
        IngestRunning: Another process ingests into the corpus.
    """
    folders = golden.documents
    report = services.ingestor.ingest(list_files(folders), golden.corpus, prune=sources(folders), progress=progress)
    if report.quarantined:
        rows = "; ".join(f"{row.uri} ({row.code}: {row.detail})" for row in report.quarantined[:3])
        raise CorpusNotReady(
            f"{len(report.quarantined)} documents of the golden set '{golden.name}' could not be ingested: {rows}"
        )
    return SnapshotTexts(services.corpora, services.reader, golden.corpus, report.snapshot)
