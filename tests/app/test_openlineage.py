"""OpenLineage events: of the form that the specification asks for, sent where the settings say and nowhere else."""

import json
import logging
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from app.bootstrap import Services
from app.errors import ConfigError
from app.openlineage import TurnEvents, dataset_of, observed, open_transport
from app.settings import LineageSettings, Settings
from app.types import ChatRequest
from retrieval.errors import SourceFailed
from retrieval.files import list_files
from retrieval.types import Breach, IngestReport, Quarantined, ReasonCode, Severity, Stage
from tests.conftest import Build

pytest.importorskip("openlineage.client", reason="needs pip install 'assay[lineage]'")

REPORT = IngestReport("5" * 16, 3, 7, 3, 0, 0, 0, 7, (), 0.1)
SOURCES = ("/srv/docs", "/srv/docs", "s3://bucket/manuals")
UTC_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00$")


class Receiver:
    """A loopback server that keeps what is posted to it and answers with `status`."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.status = 201
        self.headers: dict[str, str] = {}
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.requests.append((self.path, dict(self.headers), body))
                self.send_response(receiver.status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.close()


def to_file(path: Path, **more: Any) -> LineageSettings:
    return LineageSettings(openlineage_file=path / "events.jsonl", **more)


def events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / "events.jsonl").read_text("utf-8").splitlines()]


def check_form(event: dict[str, Any]) -> None:
    """What the specification (2-0-2) requires of a RunEvent, its datasets and its facets."""
    assert {"eventTime", "producer", "schemaURL", "run", "job"} <= event.keys()
    assert UTC_TIME.match(event["eventTime"])
    assert event["schemaURL"] == "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
    assert event["eventType"] in {"START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"}
    assert str(UUID(event["run"]["runId"])) == event["run"]["runId"]
    assert event["job"]["namespace"] and event["job"]["name"]
    datasets = event["inputs"] + event["outputs"]
    assert all(dataset["namespace"] and dataset["name"] for dataset in datasets)
    kinds = ("facets", "inputFacets", "outputFacets")
    holders: Sequence[dict[str, Any]] = [event["run"], event["job"], *datasets]
    facets = [facet for holder in holders for kind in kinds for facet in holder.get(kind, {}).values()]
    assert facets
    for facet in facets:
        assert facet["_producer"].startswith("urn:assay:") and facet["_schemaURL"].startswith("https://openlineage.io/")


def test_an_ingest_is_told_of(tmp_path: Path) -> None:
    assert observed(to_file(tmp_path), "handbook", lambda: SOURCES, lambda: REPORT) is REPORT
    start, complete = events(tmp_path)
    for event in (start, complete):
        check_form(event)
        assert event["job"]["name"] == "assay.ingest.handbook"
    assert (start["eventType"], complete["eventType"]) == ("START", "COMPLETE")
    assert start["run"]["runId"] == complete["run"]["runId"]
    folder, bucket = complete["inputs"]
    assert (folder["namespace"], folder["name"]) == ("file", "/srv/docs")
    assert (bucket["namespace"], bucket["name"]) == ("s3://bucket", "manuals")
    assert folder["inputFacets"]["dataQualityMetrics"]["rowCount"] == 2
    (output,) = complete["outputs"]
    assert output["facets"]["version"]["datasetVersion"] == REPORT.snapshot
    assert {field["name"] for field in output["facets"]["schema"]["fields"]} >= {"doc_id", "text"}
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 7


def test_a_broken_contract_is_a_failed_run(tmp_path: Path) -> None:
    breach = Breach("drift", Severity.ERROR, "half is gone", 3, ("secret.md",))
    row = Quarantined("a.pdf", ReasonCode.CORRUPT, "damaged", Stage.PARSE)
    stopped = IngestReport("5" * 16, 3, 7, 0, 0, 0, 0, 0, (row,), 0.1, (breach,), switched=False)
    observed(to_file(tmp_path), "c", lambda: SOURCES, lambda: stopped)
    failed = events(tmp_path)[1]
    check_form(failed)
    assert (failed["eventType"], failed["outputs"]) == ("FAIL", [])
    assert failed["run"]["facets"]["errorMessage"]["message"] == "The contract stopped the switch: drift"
    said = failed["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert [(a["assertion"], a["success"]) for a in said] == [("quarantined", False), ("drift", False)]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (SourceFailed("the site is down"), "SourceFailed: the site is down"),
        (ValueError("text of a document"), "ValueError"),
    ],
)
def test_an_error_is_told_and_raised(tmp_path: Path, error: Exception, said: str) -> None:
    def work() -> IngestReport:
        raise error

    with pytest.raises(type(error)):
        observed(to_file(tmp_path), "c", lambda: SOURCES, work)
    assert [event["eventType"] for event in events(tmp_path)] == ["START", "FAIL"]
    assert events(tmp_path)[1]["run"]["facets"]["errorMessage"]["message"] == said


def test_events_go_to_the_receiver_with_the_key(receiver: Receiver) -> None:
    url, key = SecretStr(receiver.url), SecretStr("k-1")
    observed(LineageSettings(openlineage_url=url, openlineage_api_key=key), "c", lambda: SOURCES, lambda: REPORT)
    assert [path for path, _, _ in receiver.requests] == ["/api/v1/lineage"] * 2
    assert {headers["Authorization"] for _, headers, _ in receiver.requests} == {"Bearer k-1"}
    for _, _, event in receiver.requests:
        check_form(event)


@pytest.mark.parametrize(("status", "headers"), [(500, {}), (401, {}), (307, {"Location": "/elsewhere"})])
def test_what_a_receiver_does_never_stops_an_ingest(
    receiver: Receiver, caplog: pytest.LogCaptureFixture, status: int, headers: dict[str, str]
) -> None:
    receiver.status, receiver.headers = status, headers
    url = SecretStr(receiver.url + "/secret-path")
    with caplog.at_level(logging.WARNING):
        assert observed(LineageSettings(openlineage_url=url), "c", lambda: SOURCES, lambda: REPORT) is REPORT
    assert len(receiver.requests) == 2, "an event is sent once, and no redirect is followed"
    assert "could not be told" in caplog.text and "secret-path" not in caplog.text


def test_a_receiver_that_is_not_there_or_a_file_that_cannot_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for settings in (
        LineageSettings(openlineage_url=SecretStr("http://127.0.0.1:9"), timeout_s=1),
        LineageSettings(openlineage_file=tmp_path / "no" / "folder" / "events.jsonl"),
    ):
        assert observed(settings, "c", lambda: SOURCES, lambda: REPORT) is REPORT
    assert caplog.text.count("could not be told") == 4


def test_neither_the_environment_nor_a_file_of_the_library_is_read(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENLINEAGE_DISABLED", "OPENLINEAGE__TRANSPORT__TYPE", "OPENLINEAGE_NAMESPACE"):
        monkeypatch.setenv(name, "true")
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    (tmp_path / "openlineage.yml").write_text("transport: {type: console}\n", encoding="utf-8")
    url = SecretStr(receiver.url)
    observed(LineageSettings(openlineage_url=url), "c", lambda: SOURCES, lambda: REPORT)
    assert [event["job"]["namespace"] for _, _, event in receiver.requests] == ["assay", "assay"]


def test_by_default_nothing_is_told_and_nothing_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openlineage.client.transport.file", None)
    assert open_transport(LineageSettings()) is None
    assert observed(LineageSettings(), "c", lambda: SOURCES, lambda: REPORT) is REPORT
    with pytest.raises(ConfigError, match="pip install"):
        open_transport(LineageSettings(openlineage_file=Path("x")))


def test_an_address_that_is_none_is_refused_without_repeating_it() -> None:
    with pytest.raises(ConfigError) as error:
        open_transport(LineageSettings(openlineage_url=SecretStr("secret")))
    assert "openlineage_url" in str(error.value) and "secret" not in str(error.value)


async def test_a_turn_is_told_of_without_its_words(
    build_services: Build, settings: Settings, documents: Path, tmp_path: Path
) -> None:
    services: Services = build_services(given=settings.model_copy(update={"lineage": to_file(tmp_path, turns=True)}))
    services.ingestor.ingest(list_files([documents]), "default")
    result = await services.pipeline.run(ChatRequest("canary release traffic percent"))
    services.events.close()
    (event,) = events(tmp_path)
    check_form(event)
    assert event["job"]["name"] == "assay.answer.default" and event["eventType"] == "COMPLETE"
    assert UUID(event["run"]["runId"]).hex == result.turn_id
    assert event["inputs"][0]["facets"]["version"]["datasetVersion"] == result.snapshot
    assert "canary" not in json.dumps(event)


async def test_turns_are_not_told_of_unless_that_is_set(
    build_services: Build, settings: Settings, documents: Path, tmp_path: Path
) -> None:
    services = build_services(given=settings.model_copy(update={"lineage": to_file(tmp_path)}))
    services.ingestor.ingest(list_files([documents]), "default")
    await services.pipeline.run(ChatRequest("canary release traffic percent"))
    services.events.close()
    assert not (tmp_path / "events.jsonl").exists()
    TurnEvents(LineageSettings()).close()


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("/srv/docs", ("file", "/srv/docs", "")),
        ("upload", ("assay", "upload", "")),
        ("s3://bucket/manuals", ("s3://bucket", "manuals", "")),
        ("sitemap+https://example.org/sitemap.xml", ("sitemap+https://example.org", "sitemap.xml", "")),
        (f"git+https://example.org/a/b.git@{'c' * 40}#subdirectory=docs",
         ("git+https://example.org", "a/b.git/docs", "c" * 40)),
        ("git+https://user:pw@example.org/a.git", ("git+https://example.org", "a.git", "")),
    ],
)  # fmt: skip
def test_sources_are_named_as_datasets(source: str, named: tuple[str, str, str]) -> None:
    assert dataset_of(source) == named
