"""A web site: what its sitemap lists and robots.txt allows, from its own host, under bounds."""

import gzip
import logging
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from app.bootstrap import Services
from retrieval.config import ParseLimits, RetrievalSettings, SourceLimits
from retrieval.errors import SourceFailed
from retrieval.sources.gather import gathered, open_source
from retrieval.sources.port import Listing
from retrieval.sources.web import is_public
from retrieval.types import ReasonCode
from tests.retrieval.sources.conftest import Answer, Server

FAST = SourceLimits(requests_per_s=1000, allow_private_addresses=True, request_timeout_s=2)


class Site:
    """Pages by path; the sitemap lists `listed`."""

    def __init__(self, serve: Any, **pages: str) -> None:
        self.pages: dict[str, Answer] = {f"/{name}": (200, {}, text.encode()) for name, text in pages.items()}
        self.listed = [f"/{name}" for name in pages]
        self.robots: Answer = (404, {}, b"")
        self.server: Server = serve(self.answer)

    def answer(self, path: str, headers: dict[str, str]) -> Answer:
        if path == "/robots.txt":
            return self.robots
        if path.split("?", maxsplit=1)[0] == "/sitemap.xml":
            return self.pages.get("/sitemap.xml", (200, {}, self.urlset(*self.listed)))
        return self.pages.get(path, (404, {}, b""))

    def urlset(self, *paths: str) -> bytes:
        urls = "".join(f"<url><loc>{self.full(p)}</loc><lastmod>2026-01-02</lastmod></url>" for p in paths)
        return f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{urls}</urlset>'.encode()

    def full(self, path: str) -> str:
        return (self.server.url + path if path.startswith("/") else path).replace("&", "&amp;")

    @property
    def name(self) -> str:
        return f"sitemap+{self.server.url}/sitemap.xml"

    def list(self, limits: SourceLimits = FAST, **parse: int) -> Listing:
        with gathered([self.name], RetrievalSettings(sources=limits, parse=ParseLimits(**parse)), {}) as found:
            for file in found.files:
                assert file.failure or file.path.is_file()
            return found

    def uris(self, **given: Any) -> dict[str, str]:
        return {file.uri.removeprefix(self.server.url): file.failure for file in self.list(**given).files}


def test_pages_come_in_change_and_go(services: Services, serve: Any) -> None:
    site = Site(serve, a="<h1>A</h1><p>Alpha is the first letter of all.</p>", b="Beta is the second letter of all.")

    def ingest() -> Any:
        with gathered([site.name], RetrievalSettings(sources=FAST), {}) as found:
            return services.ingestor.ingest(found.files, "default", prune=found.prunable)

    assert (ingest().documents, ingest().unchanged) == (2, 2)
    member = services.corpora.members("default", services.corpora.active("default"))[0]
    assert (member.uri, member.source) == (f"{site.server.url}/a", site.name)
    assert services.corpora.document(member.doc_id, member.version).modified.date().isoformat() == "2026-01-02"
    site.pages["/a"] = (503, {}, b"")  # it fails: the old version stays
    failed = ingest()
    assert (failed.removed, failed.quarantined[0].code, failed.documents) == (0, ReasonCode.UNREADABLE, 2)
    assert failed.quarantined[0].detail == "the server answered 503"
    site.pages["/a"] = (410, {}, b"")  # it is gone
    gone = ingest()
    assert (gone.removed, gone.documents) == (1, 1)


def test_robots_txt_is_kept(serve: Any) -> None:
    site = Site(serve, a="a", b="b", c_pdf="c", d="d")
    site.robots = (200, {}, b"User-agent: *\nDisallow: /a\nDisallow: /*pdf$\nCrawl-delay: 0.2\n")
    began = time.monotonic()
    found = site.list()
    assert [file.uri for file in found.files] == [f"{site.server.url}/b", f"{site.server.url}/d"]
    assert time.monotonic() - began > 0.35  # two pages, each after its pause
    assert found.notes == (f"{site.name}: robots.txt forbids 2 pages",)
    assert "/a" not in site.server.asked
    site.robots = (500, {}, b"")
    with pytest.raises(SourceFailed, match="answered 500"):
        site.list()


def test_only_its_own_host_is_asked(serve: Any) -> None:
    other = Site(serve, secret="not yours")
    site = Site(serve, a="a", moved="", away="", loop="")
    site.listed += [f"{other.server.url}/secret", "http://169.254.169.254/latest", "file:///etc/passwd"]
    site.pages["/moved"] = (301, {"Location": "/a"}, b"")
    site.pages["/away"] = (302, {"Location": f"{other.server.url}/secret"}, b"")
    site.pages["/loop"] = (302, {"Location": "/loop"}, b"")
    assert site.uris() == {
        "/a": "",
        "/moved": "",
        "/away": "it leads to another host",
        "/loop": "more than 5 redirects",
    }
    assert other.server.asked == []
    assert "3 URLs of other hosts" in site.list().notes[0]


def test_private_addresses_are_refused_and_a_name_is_resolved_once(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(serve, a="a")
    with pytest.raises(SourceFailed, match="private address"):
        site.list(SourceLimits())
    assert site.server.asked == []
    looked_up: list[str] = []
    real = socket.getaddrinfo

    def counting(host: str, *rest: Any, **named: Any) -> Any:
        looked_up.append(host)
        return real("127.0.0.1" if host == "docs.example" else host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", counting)
    site.server.url = f"http://docs.example:{site.server.port}"
    assert site.uris() == {"/a": ""}
    assert looked_up.count("docs.example") == 1
    assert {headers["host"] for headers in site.server.headers} == {f"docs.example:{site.server.port}"}


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True), ("2606:2800:21f:cb07::1", True), ("127.0.0.1", False), ("10.1.2.3", False),
        ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False), ("224.0.0.1", False), ("::1", False),
        ("fe80::1", False), ("fd00::1", False), ("::ffff:127.0.0.1", False), ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False), ("no address", False),
    ],
)  # fmt: skip
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) == public


def test_bounds_on_pages_bytes_and_time(serve: Any) -> None:
    site = Site(serve, a="a" * 100, b="b" * 2000, c="c", d="d")
    assert site.uris(max_file_bytes=1000) == {"/a": "", "/b": "more than 1,000 bytes", "/c": "", "/d": ""}
    for limits in (FAST.model_copy(update={"max_files": 2}), FAST.model_copy(update={"max_bytes": 1200})):
        found = site.list(limits)
        assert (found.prunable, len(found.files) < 4) == (frozenset(), True)
        assert "stopped at max_" in found.notes[-1]
    slow = FAST.model_copy(update={"requests_per_s": 2.0, "timeout_s": 1.3})
    found = site.list(slow)
    assert (found.prunable, len(found.files) < 4) == (frozenset(), True)


def test_a_server_that_compresses_or_lies_about_its_length_fails_that_page(serve: Any) -> None:
    site = Site(serve, a="a", b="b")
    site.pages["/a"] = (200, {"Content-Encoding": "gzip"}, gzip.compress(b"a" * 10))
    site.pages["/b"] = (200, {"Content-Length": "50", "Connection": "close"}, b"short")
    found = site.uris()
    assert "compresses" in found["/a"]
    assert found["/b"].startswith("the request failed")


def test_an_index_of_sitemaps_gzip_and_a_ring_of_indexes(serve: Any) -> None:
    site = Site(serve, a="a", b="b")
    entries = "".join(f"<sitemap><loc>{site.full(p)}</loc></sitemap>" for p in ("/one.xml.gz", "/sitemap.xml"))
    site.pages["/sitemap.xml"] = (200, {}, f"<sitemapindex>{entries}</sitemapindex>".encode())
    site.pages["/one.xml.gz"] = (200, {}, gzip.compress(site.urlset("/a", "/b", "/a")))
    assert site.uris() == {"/a": "", "/b": ""}


@pytest.mark.parametrize(
    "sitemap",
    [
        b"<html>",
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><urlset><url><loc>&e;</loc></url></urlset>',
        gzip.compress(b" " * 60_000_000),
        b"\x1f\x8bdamaged",
    ],
    ids=["no XML", "entity", "bomb", "damaged gzip"],
)
def test_a_hostile_sitemap_is_one_line(serve: Any, sitemap: bytes) -> None:
    site = Site(serve)
    site.pages["/sitemap.xml"] = (200, {}, sitemap)
    with pytest.raises(SourceFailed, match="cannot be read: the sitemap"):
        site.list()


def test_what_is_secret_in_the_name_is_shown_nowhere(
    serve: Any, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    site = Site(serve, a="a")
    site.pages["/p?token=s3cr3t&id=7"] = (200, {}, b"p")
    site.listed.append("/p?token=s3cr3t&id=7")
    authority = site.server.url.removeprefix("http://")
    named = f"sitemap+http://me:pa55@{authority}/sitemap.xml?token=s3cr3t"
    with gathered([named], RetrievalSettings(sources=FAST), {}) as found:
        shown = f"{found} {open_source(named, RetrievalSettings(), {})!r}"
    assert [file.uri.removeprefix(site.server.url) for file in found.files] == ["/a", "/p?id=7"]
    assert {headers["authorization"] for headers in site.server.headers} == {"Basic bWU6cGE1NQ=="}
    site.pages["/sitemap.xml"] = (500, {}, b"")
    with pytest.raises(SourceFailed) as failed, gathered([named], RetrievalSettings(sources=FAST), {}):
        pass
    for text in (shown, str(failed.value), caplog.text):
        assert not any(secret in text for secret in ("s3cr3t", "pa55", "bWU6cGE1NQ"))
