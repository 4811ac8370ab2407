"""Personal data at the door of a corpus: what a policy takes out is in no file that the ingest writes."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from app.bootstrap import Services
from retrieval.config import PrivacySettings
from retrieval.files import list_files
from retrieval.redaction import Door, PiiPolicy, PiiSpan
from retrieval.types import IngestReport, ReasonCode, Stage
from tests.conftest import Build

VALUE = "jane.doe@example.com"


class Finds:
    """Finds one value, wherever it stands."""

    fingerprint = "finds"

    def find(self, text: str) -> Sequence[PiiSpan]:
        starts = [at for at in range(len(text)) if text.startswith(VALUE, at)]
        return [PiiSpan(at, at + len(VALUE), "EMAIL") for at in starts]


class Breaks(Finds):
    def find(self, text: str) -> Sequence[PiiSpan]:
        raise RuntimeError(f"cannot read: {text}")


def behind(services: Services, policy: PiiPolicy, scrubber: Finds | None = None) -> Services:
    door = None if policy is PiiPolicy.OFF else Door(policy, scrubber or Finds(), b"key")
    return replace(services, ingestor=replace(services.ingestor, doors=lambda corpus: door))


def ingest(services: Services, folder: Path) -> IngestReport:
    return services.ingestor.ingest(list_files([folder]), "default")


@pytest.fixture
def letters(documents: Path) -> Path:
    text = f"# Letter of {VALUE}\n\nThe canary notice was sent by {VALUE} on Monday, says {VALUE}.\n"
    (documents / "letter.md").write_text(text, encoding="utf-8")
    (documents / "_metadata.yaml").write_text(f"owner: {VALUE}\n", encoding="utf-8")
    return documents


def holding(home: Path, value: str) -> list[str]:
    return [path.name for path in home.rglob("*") if path.is_file() and value.encode() in path.read_bytes()]


@pytest.mark.parametrize("policy", [PiiPolicy.REDACT, PiiPolicy.PSEUDONYMISE])
async def test_no_file_holds_what_was_taken_out(services: Services, letters: Path, policy: PiiPolicy) -> None:
    services = behind(services, policy)
    report = ingest(services, letters)
    assert report.documents == 4 and report.personal_data["EMAIL"] >= 4
    assert holding(services.settings.home, VALUE) == []
    found = (await services.retriever.search("canary notice sent on Monday", "default", 1)).passages[0]
    assert "sent by [EMAIL" in found.text and "[EMAIL" in found.title
    member = next(m for m in services.ingestor.members("default") if m.uri == "letter.md")
    document = services.corpora.document(member.doc_id, member.version)
    assert document.parsed.text[found.start : found.end] == found.text
    assert "[EMAIL" in str(member.labels.attributes["owner"])
    # the map leads back to the characters of the parsed file
    raw = f"Letter of {VALUE}\n\nThe canary notice was sent by"
    offsets = services.ingestor.scrubs.offsets((member.doc_id, member.version))
    at = document.parsed.text.index("sent by")
    assert offsets.to_original(at) == raw.index("sent by")
    assert list(services.snapshots.verify("default", report.snapshot)) == []


def test_flagging_keeps_the_text_and_counts(services: Services, letters: Path) -> None:
    services = behind(services, PiiPolicy.FLAG)
    report = ingest(services, letters)
    assert report.personal_data["EMAIL"] >= 4 and not report.quarantined
    assert holding(services.settings.home, VALUE)
    member = next(m for m in services.ingestor.members("default") if m.uri == "letter.md")
    assert (
        services.ingestor.scrubs.found([(member.doc_id, member.version)])[member.doc_id, member.version]["EMAIL"] >= 3
    )


def test_another_policy_makes_other_versions_of_the_same_bytes(services: Services, letters: Path) -> None:
    plain = ingest(services, letters)
    redacting = behind(services, PiiPolicy.REDACT)
    redacted = ingest(redacting, letters)
    assert redacted.snapshot != plain.snapshot and redacted.changed == 4
    assert ingest(redacting, letters).unchanged == 4
    assert services.corpora.manifest("default", redacted.snapshot)["transforms"][0].startswith("redact-")
    assert ingest(behind(services, PiiPolicy.OFF), letters).snapshot == plain.snapshot


def test_what_cannot_be_looked_through_is_kept_out_and_nothing_quotes_it(
    services: Services, letters: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        report = ingest(behind(services, PiiPolicy.REDACT, Breaks()), letters)
    assert report.documents == 0
    assert {(row.code, row.stage) for row in report.quarantined} == {(ReasonCode.NOT_SCRUBBED, Stage.SCRUB)}
    assert VALUE not in caplog.text + str(report)
    assert holding(services.settings.home, VALUE) == []


def test_what_came_in_before_the_policy_serves_no_longer(services: Services, letters: Path, tmp_path: Path) -> None:
    ingest(services, letters)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "new.txt").write_text("A new document about anchors.", encoding="utf-8")
    report = ingest(behind(services, PiiPolicy.REDACT), tmp_path / "other")
    assert [m.uri for m in services.ingestor.members("default")] == ["new.txt"]
    assert len(report.quarantined) == 4 and "ingest it again" in report.quarantined[0].detail


def test_a_name_that_holds_personal_data_is_refused_and_not_shown(services: Services, documents: Path) -> None:
    (documents / f"{VALUE}.txt").write_text("A note about anchors.", encoding="utf-8")
    services = behind(services, PiiPolicy.REDACT)
    report = ingest(services, documents)
    assert [(row.uri, row.detail) for row in report.quarantined] == [
        ("[EMAIL].txt", "its name holds personal data: rename it")
    ]
    assert holding(services.settings.home, VALUE) == []


def test_the_settings_give_a_corpus_its_door(build_services: Build, letters: Path) -> None:
    pytest.importorskip("presidio_analyzer", reason="presidio-analyzer is not installed")
    services = build_services()
    rules = services.settings.retrieval.model_copy(
        update={"privacy": PrivacySettings(policy="off", corpora={"letters": "pseudonymise"})}
    )
    services = build_services(given=services.settings.model_copy(update={"retrieval": rules}))
    report = services.ingestor.ingest(list_files([letters]), "letters")
    assert report.personal_data["EMAIL"] >= 4
    key = services.settings.home / "keys" / "pseudonyms.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert holding(services.settings.home, VALUE) == []
    ingest(services, letters)
    assert holding(services.settings.home, VALUE)  # the default corpus has no door
