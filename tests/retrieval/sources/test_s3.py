"""An object store, spoken to by the real client over loopback."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.bootstrap import Services
from retrieval.config import ParseLimits, RetrievalSettings, SourceLimits
from retrieval.errors import LibraryMissing, SourceFailed
from retrieval.sources.gather import gathered, open_source
from retrieval.sources.port import Listing
from tests.retrieval.sources.conftest import Answer, Server

minio = pytest.importorskip("minio", reason="the extra s3 is not installed")

PAGE = 2
ERROR = '<?xml version="1.0"?><Error><Code>{}</Code><Message>m</Message></Error>'


class Bucket:
    """The few calls that a reader makes: the region, the list in pages of two, an object."""

    def __init__(self, serve: Callable[..., Server], **objects: bytes) -> None:
        self.objects = {key.replace("__", "/"): body for key, body in objects.items()}
        self.denied: set[str] = set()
        self.server = serve(self.answer)

    def answer(self, path: str, headers: dict[str, str]) -> Answer:
        parts = urlsplit(path)
        query = parse_qs(parts.query, keep_blank_values=True)
        bucket, _, key = parts.path.strip("/").partition("/")
        xml = {"Content-Type": "application/xml"}
        if bucket != "docs":
            return 404, xml, ERROR.format("NoSuchBucket").encode()
        if "location" in query:
            return 200, xml, b"<LocationConstraint>us-east-1</LocationConstraint>"
        if key in self.denied:
            return 403, xml, ERROR.format("AccessDenied").encode()
        if key:
            modified = {"Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT", "ETag": '"e"'}
            return 200, modified, self.objects[key]
        return 200, xml, self.page(query)

    def page(self, query: dict[str, list[str]]) -> bytes:
        prefix, after = query.get("prefix", [""])[0], query.get("continuation-token", [""])[0]
        keys = [key for key in sorted(self.objects) if key.startswith(prefix) and key > after]
        more = f"<NextContinuationToken>{keys[PAGE - 1]}</NextContinuationToken>" if len(keys) > PAGE else ""
        rows = "".join(
            f"<Contents><Key>{key}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>e</ETag>"
            f"<Size>{len(self.objects[key])}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for key in keys[:PAGE]
        )
        return (
            f'<?xml version="1.0"?><ListBucketResult><Name>docs</Name><IsTruncated>{str(bool(more)).lower()}'
            f"</IsTruncated>{more}{rows}</ListBucketResult>"
        ).encode()

    def rules(self, **limits: Any) -> RetrievalSettings:
        sources = SourceLimits(s3_endpoint=self.server.url, request_timeout_s=2, **limits)
        return RetrievalSettings(sources=sources, parse=ParseLimits(max_file_bytes=1000))

    def list(self, name: str, **limits: Any) -> Listing:
        with gathered([name], self.rules(**limits), {}) as found:
            return found


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "the-access-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-secret-key")


def test_objects_under_a_prefix_come_and_go(services: Services, serve: Any) -> None:
    bucket = Bucket(serve, guide__a_md=b"Alpha is first.", guide__sub__b_md=b"Beta is second.", guide2__c_md=b"No.")
    bucket.objects["guide/"] = b""
    bucket.objects["guide/.hidden"] = b"hidden"

    def ingest() -> Any:
        with gathered(["s3://docs/guide"], bucket.rules(), {}) as found:
            return services.ingestor.ingest(found.files, "default", prune=found.prunable)

    assert ingest().documents == 2
    members = services.corpora.members("default", services.corpora.active("default"))
    assert [(m.uri, m.source) for m in members] == [
        ("s3://docs/guide/a_md", "s3://docs/guide"),
        ("s3://docs/guide/sub/b_md", "s3://docs/guide"),
    ]
    modified = services.corpora.document(members[0].doc_id, members[0].version).modified
    assert modified.isoformat() == "2026-01-02T03:04:05+00:00"
    assert all("the-access-key" in headers.get("authorization", "") for headers in bucket.server.headers)
    del bucket.objects["guide/a_md"]
    gone = ingest()
    assert (gone.removed, gone.documents) == (1, 1)


def test_an_object_that_fails_or_is_too_large_is_a_failure_of_its_own(serve: Any) -> None:
    bucket = Bucket(serve, a=b"a", b=b"b" * 2000, c=b"c")
    bucket.denied.add("c")
    found = bucket.list("s3://docs")
    assert [(file.uri, file.failure) for file in found.files] == [
        ("s3://docs/a", ""),
        ("s3://docs/b", "more than 1,000 bytes"),
        ("s3://docs/c", "the object cannot be read: AccessDenied"),
    ]
    assert "/docs/b" not in [urlsplit(path).path for path in bucket.server.asked]
    assert found.prunable == {"s3://docs"}


def test_bounds_stop_it_and_then_nothing_is_pruned(serve: Any) -> None:
    bucket = Bucket(serve, a=b"a" * 900, b=b"b" * 900, c=b"c")
    for limits in ({"max_files": 2}, {"max_bytes": 1000}):
        found = bucket.list("s3://docs", **limits)
        assert (found.prunable, "stopped at max_" in found.notes[0]) == (frozenset(), True)
    assert [file.uri for file in bucket.list("s3://docs/c").files] == ["s3://docs/c"]


def test_errors_are_one_line_without_keys(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket(serve)
    with pytest.raises(SourceFailed, match=r"s3://nope at 127\.0\.0\.1 cannot be listed: NoSuchBucket\."):
        bucket.list("s3://nope")
    for named in ("s3://key:word@docs/x", "s3:///x", "s3://docs/x?key=word"):
        with pytest.raises(SourceFailed) as refused:
            open_source(named, bucket.rules(), {})
        assert "word" not in str(refused.value)
    monkeypatch.setitem(__import__("sys").modules, "minio", None)
    with pytest.raises(LibraryMissing, match=r"assay\[s3\]"):
        bucket.list("s3://docs")


def test_a_public_bucket_needs_no_keys(serve: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    bucket = Bucket(serve, a=b"a")
    assert [file.failure for file in bucket.list("s3://docs").files] == [""]
    assert not any("authorization" in headers for headers in bucket.server.headers)
