"""Tells an OpenLineage receiver of ingests and turns. What cannot be told never stops what it is about.

The library's own client is not used: it reads variables and files of its own. Its events, facets and transports are.
"""

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from app import __version__
from app.errors import AssayError, ConfigError
from app.settings import LineageSettings
from app.types import ChatResult
from retrieval.errors import RetrievalError
from retrieval.types import IngestReport

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, OutputDataset, RunEvent, RunState

NAMESPACE = "assay"
PRODUCER = f"urn:assay:{__version__}"
MAX_INPUTS = 1_000
"""Sources named in one event."""
MAX_WAITING = 100
"""Turns that wait to be told; more are left out."""
_COMMIT = re.compile(r"^(?P<place>.+)@(?P<commit>[0-9a-f]{40,64})$")
_FIELDS = {"doc_id": "string", "version": "string", "uri": "string", "start": "integer", "end": "integer",
           "text": "string"}  # fmt: skip

_log = logging.getLogger(__name__)


class Transport(Protocol):
    """Sends one event, or raises."""

    def emit(self, event: "RunEvent") -> Any:
        """Send."""
        ...


def open_transport(settings: LineageSettings) -> Transport | None:
    """The transport that the settings name; None where they name none.

    Raises:
        ConfigError: The library is not installed, or the address is none.
    """
    if settings.openlineage_url is None and settings.openlineage_file is None:
        return None
    try:
        from openlineage.client.transport.file import FileConfig, FileTransport
        from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport, TokenProvider
        from requests import Session
    except ImportError:
        raise ConfigError("OpenLineage events need a library: pip install 'assay[lineage]'") from None
    if settings.openlineage_file is not None:
        to_file: Transport = FileTransport(FileConfig(str(settings.openlineage_file.resolve()), append=True))
        return to_file
    session = Session()
    session.trust_env = False  # no proxies, no .netrc
    session.stream = True  # the body of the answer is not read: it may never end
    session.hooks["response"].append(_no_redirect)
    url, key = settings.openlineage_url, settings.openlineage_api_key
    assert url is not None
    config = HttpConfig(
        url=url.get_secret_value().rstrip("/") + "/",
        timeout=settings.timeout_s,
        session=session,
        retry={"total": 0},
        auth=ApiKeyTokenProvider({"apiKey": key.get_secret_value()}) if key else TokenProvider({}),
    )
    try:
        to_url: Transport = HttpTransport(config)
    except ValueError:  # the message would repeat the address, which may hold a secret
        raise ConfigError("lineage.openlineage_url is not the address of a web server.") from None
    return to_url


def _no_redirect(response: Any, **_: Any) -> None:
    if response.is_redirect:
        raise ConnectionError("the receiver redirects elsewhere")


def observed(
    settings: LineageSettings,
    corpus: str,
    sources: Callable[[], Iterable[str]],
    work: Callable[[], IngestReport],
) -> IngestReport:
    """Do an ingest between a START and a COMPLETE or FAIL event, where the settings ask for them.

    Args:
        settings: Where events go; nowhere by default.
        corpus: What is ingested into.
        sources: Of each document of the snapshot that serves, where it was read from; asked after the work.
        work: The ingest. What it raises is raised.
    """
    transport = open_transport(settings)
    if transport is None:
        return work()
    from openlineage.client.event_v2 import RunState

    run = _Run(transport, str(uuid4()), f"assay.ingest.{corpus}", "INGEST")
    run.tell(RunState.START)
    try:
        report = work()
    except Exception as error:
        known = isinstance(error, AssayError | RetrievalError)
        run.tell(RunState.FAIL, failure=f"{type(error).__name__}: {error}" if known else type(error).__name__)
        raise
    counts = Counter(sources())
    if report.switched:
        run.tell(RunState.COMPLETE, _inputs(counts, report), [_output(corpus, report.snapshot, report)])
    else:
        broken = ", ".join(breach.rule for breach in report.breaches)
        run.tell(RunState.FAIL, _inputs(counts, report), failure=f"The contract stopped the switch: {broken}")
    return report


class TurnEvents:
    """Tells of turns in a thread of its own, so that no answer waits for it."""

    def __init__(self, settings: LineageSettings) -> None:
        """Nothing is started unless the settings ask for it.

        Raises:
            ConfigError: They ask for what cannot be had.
        """
        self._settings = settings
        self._transport = open_transport(settings) if settings.turns else None
        self._waiting: set[Future[None]] = set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="assay-lineage")

    def tell(self, result: ChatResult) -> None:
        """Have a turn told of: which corpus at which snapshot it read. No words."""
        if self._transport is None:
            return
        self._waiting = {future for future in self._waiting if not future.done()}
        if len(self._waiting) >= MAX_WAITING:
            _log.warning("OpenLineage: a turn is left out, %d wait already", len(self._waiting))
            return
        self._waiting.add(self._thread.submit(_tell_turn, self._transport, result))

    def close(self) -> None:
        """Wait for what is under way, at most as long as one event may take."""
        wait(self._waiting, timeout=self._settings.timeout_s)
        self._thread.shutdown(wait=True, cancel_futures=True)


def _tell_turn(transport: Transport, result: ChatResult) -> None:
    from openlineage.client.event_v2 import InputDataset, RunState

    read = InputDataset(NAMESPACE, result.corpus, facets=_version(result.snapshot))
    run = _Run(transport, str(UUID(result.turn_id)), f"assay.answer.{result.corpus}", "QUERY")
    run.tell(RunState.COMPLETE, [read])


@dataclass(frozen=True, slots=True)
class _Run:
    transport: Transport
    run_id: str
    job: str
    kind: str

    def tell(
        self,
        state: "RunState",
        inputs: "Sequence[InputDataset]" = (),
        outputs: "Sequence[OutputDataset]" = (),
        failure: str = "",
    ) -> None:
        try:
            self.transport.emit(self._event(state, inputs, outputs, failure))
        except Exception as error:  # noqa: BLE001 -- whatever a receiver or a disk does, the work goes on
            # Without the message: it would repeat the address, which may hold a secret.
            status = getattr(getattr(error, "response", None), "status_code", "")
            _log.warning("OpenLineage: an event of %s could not be told: %s %s", self.job, type(error).__name__, status)

    def _event(
        self, state: "RunState", inputs: "Sequence[InputDataset]", outputs: "Sequence[OutputDataset]", failure: str
    ) -> "RunEvent":
        from openlineage.client.event_v2 import Job, Run, RunEvent
        from openlineage.client.facet_v2 import error_message_run, job_type_job, processing_engine_run

        facets: dict[str, Any] = {
            "processing_engine": processing_engine_run.ProcessingEngineRunFacet(
                version=__version__, name="Assay", producer=PRODUCER
            )
        }
        if failure:
            facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(failure, "PYTHON", producer=PRODUCER)
        kind = job_type_job.JobTypeJobFacet("BATCH", "ASSAY", self.kind, producer=PRODUCER)
        return RunEvent(
            eventType=state,
            eventTime=datetime.now(UTC).isoformat(),
            run=Run(self.run_id, facets),
            job=Job(NAMESPACE, self.job, {"jobType": kind}),
            inputs=list(inputs),
            outputs=list(outputs),
            producer=PRODUCER,
        )


def _inputs(counts: Mapping[str, int], report: IngestReport) -> "list[InputDataset]":
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import data_quality_metrics_input_dataset as metrics

    found = []
    for source, documents in sorted(counts.items())[:MAX_INPUTS]:
        namespace, name, version = dataset_of(source)
        counted = metrics.DataQualityMetricsInputDatasetFacet(
            columnMetrics={}, rowCount=documents, fileCount=documents, producer=PRODUCER
        )
        facets = _version(version) if version else {}
        quality: dict[str, Any] = {"dataQualityMetrics": counted, "dataQualityAssertions": _assertions(report)}
        found.append(InputDataset(namespace, name, facets=facets, inputFacets=quality))
    return found


def _output(corpus: str, snapshot: str, report: IngestReport) -> "OutputDataset":
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import output_statistics_output_dataset, schema_dataset

    fields = [schema_dataset.SchemaDatasetFacetFields(name, kind) for name, kind in _FIELDS.items()]
    facets = {**_version(snapshot), "schema": schema_dataset.SchemaDatasetFacet(fields=fields, producer=PRODUCER)}
    counted = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        rowCount=report.chunks, fileCount=report.documents, producer=PRODUCER
    )
    return OutputDataset(NAMESPACE, corpus, facets=facets, outputFacets={"outputStatistics": counted})


def _version(version: str) -> dict[str, Any]:
    from openlineage.client.facet_v2 import dataset_version_dataset

    return {"version": dataset_version_dataset.DatasetVersionDatasetFacet(version, producer=PRODUCER)}


def _assertions(report: IngestReport) -> Any:
    """The rules of the contract that are broken, and whether every file became a document."""
    from openlineage.client.facet_v2 import data_quality_assertions_dataset as quality

    broken = [quality.Assertion(assertion=b.rule, success=False, severity=str(b.severity)) for b in report.breaches]
    quarantined = len(report.quarantined)
    readable = quality.Assertion(
        assertion="quarantined", success=not quarantined, expected="0", actual=str(quarantined)
    )
    return quality.DataQualityAssertionsDatasetFacet(assertions=[readable, *broken], producer=PRODUCER)


def dataset_of(source: str) -> tuple[str, str, str]:
    """A document's source as OpenLineage names data: (namespace, name, version or "").

    Credentials and queries of an address are left out.
    """
    parts = urlsplit(source)
    if not parts.netloc:
        return ("file", source, "") if source.startswith("/") else (NAMESPACE, source, "")
    host = parts.netloc.rpartition("@")[2]
    path, version = parts.path, ""
    if match := _COMMIT.match(path):
        path, version = match["place"], match["commit"]
    folder = f"/{parts.fragment.removeprefix('subdirectory=')}" if parts.fragment else ""
    return f"{parts.scheme}://{host}", (path + folder).strip("/") or "/", version
