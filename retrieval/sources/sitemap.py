"""A web site by its sitemap: the pages that its owner lists, as robots.txt allows, from its own host only."""

import base64
import os
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urljoin, urlsplit, urlunsplit

from retrieval.errors import SourceFailed
from retrieval.sources.port import Budget, Listing, Progress, SourceFile
from retrieval.sources.web import AGENT, FetchFailed, SiteClient, TooLarge

MAX_SITEMAP_BYTES = 50_000_000
"""The protocol's own bound (sitemaps.org)."""
MAX_SITEMAPS = 500
MAX_ROBOTS_BYTES = 512_000
"""RFC 9309 asks for at least 500 KiB."""
MAX_DELAY_S = 60.0
_GONE = (404, 410)


@dataclass(frozen=True, slots=True)
class SitemapSource:
    """The pages of a sitemap. `url` is what is fetched, and may hold a secret; `label` is what is shown."""

    url: str = field(repr=False)
    label: str
    authorization: str = field(default="", repr=False)

    @classmethod
    def parse(cls, named: str) -> "SitemapSource":
        """Read `sitemap+https://HOST/sitemap.xml`.

        Raises:
            SourceFailed: It is not such a name.
        """
        parts = urlsplit(named.removeprefix("sitemap+"))
        if not parts.hostname:
            raise SourceFailed("A web site is named by its sitemap: sitemap+https://HOST/sitemap.xml.")
        url = _without_secrets(named.removeprefix("sitemap+"), keep_query=True)
        secret = ""
        if parts.username or parts.password:
            pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
            secret = "Basic " + base64.b64encode(pair.encode()).decode()
        return cls(url, f"sitemap+{_without_secrets(url, keep_query=False)}", secret)

    def fetch(self, staging: Path, budget: Budget, progress: Progress) -> Listing:
        """Read robots.txt, the sitemap, then page after page.

        A page that is gone, or that robots.txt forbids, is no document any more; one that fails is quarantined.

        Raises:
            SourceFailed: robots.txt or the sitemap cannot be read.
        """
        headers = {"Authorization": self.authorization} if self.authorization else {}
        with SiteClient(self.url, budget, headers) as client:
            try:
                robots = _robots(client, self.url)
                pages, notes = self._pages(client, budget)
            except FetchFailed as error:
                raise SourceFailed(f"{self.label} cannot be read: {error}.") from None
            return self._fetch_pages(client, robots, pages, (staging, progress, notes))

    def _pages(self, client: SiteClient, budget: Budget) -> tuple[dict[str, str], list[str]]:
        """URL and lastmod of each page of the site, in the order of the sitemaps; and what was passed over."""
        waiting, seen = deque([self.url]), {self.url}
        pages: dict[str, str] = {}
        elsewhere = 0
        while waiting:
            answer = client.get(waiting.popleft(), min(MAX_SITEMAP_BYTES, budget.bytes_left))
            if answer.status != 200:
                raise FetchFailed(f"the server answered {answer.status} for a sitemap")
            for kind, location, lastmod in _entries(_inflated(answer.body)):
                url = _without_secrets(urljoin(self.url, location), keep_query=True)
                if not client.same_site(url):
                    elsewhere += 1
                elif kind == "url" and len(pages) <= budget.limits.max_files:
                    pages.setdefault(url, lastmod)
                elif kind == "sitemap" and url not in seen and len(seen) < MAX_SITEMAPS:
                    seen.add(url)
                    waiting.append(url)
        return pages, [f"{self.label}: {elsewhere} URLs of other hosts passed over"] * bool(elsewhere)

    def _fetch_pages(
        self, client: SiteClient, robots: Any, pages: dict[str, str], rest: tuple[Path, Progress, list[str]]
    ) -> Listing:
        staging, progress, notes = rest
        budget, forbidden, stopped = client.budget, 0, ""
        files: list[SourceFile] = []
        progress("fetch", 0, len(pages))
        for number, (url, lastmod) in enumerate(pages.items(), start=1):
            if stopped := budget.exhausted():
                break
            path = staging / str(number)
            uri = self._uri(url)
            if not robots.can_fetch(url, AGENT):
                forbidden += 1
                continue
            try:
                answer = client.get(url, min(budget.max_file_bytes, budget.bytes_left))
            except FetchFailed as error:
                over = isinstance(error, TooLarge) and budget.bytes_left < budget.max_file_bytes
                if stopped := budget.exhausted(budget.max_file_bytes if over else 0):  # not the page's failure
                    break
                files.append(SourceFile(uri, path, self.label, failure=str(error)))
            else:
                if answer.status == 200:
                    budget.spend(len(answer.body))
                    path.write_bytes(answer.body)
                    _set_time(path, answer.modified, lastmod)
                    files.append(SourceFile(uri, path, self.label))
                elif answer.status not in _GONE:
                    failure = f"the server answered {answer.status}"
                    files.append(SourceFile(uri, path, self.label, failure=failure))
            progress("fetch", number, len(pages))
        notes = [*notes, *[f"{self.label}: robots.txt forbids {forbidden} pages"] * bool(forbidden)]
        whole = frozenset({self.label}) if not stopped else frozenset()
        return Listing(tuple(files), whole, (*notes, *[f"{self.label}: {stopped}"] * bool(stopped)))

    def _uri(self, url: str) -> str:
        """A page's URL, without parameters that the sitemap's own URL has: those are keys, not names."""
        ours = set(parse_qsl(urlsplit(self.url).query, keep_blank_values=True))
        parts = urlsplit(url)
        if not ours:
            return url
        kept = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair not in ours]
        return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(kept), ""))


def _robots(client: SiteClient, url: str) -> Any:
    """The site's rules. A site that has none allows all; one that cannot say forbids all (RFC 9309, 2.3.1)."""
    from protego import Protego

    answer = client.get(urljoin(url, "/robots.txt"), MAX_ROBOTS_BYTES)
    rules = Protego.parse(answer.body.decode("utf-8", "replace"))
    delay = rules.crawl_delay(AGENT) or 0.0
    client.pause_s = max(client.pause_s, min(float(delay), MAX_DELAY_S))
    return rules


def _entries(xml: bytes) -> Iterator[tuple[str, str, str]]:
    """("url" or "sitemap", location, lastmod) of each entry.

    Raises:
        FetchFailed: It is no XML, or XML with entities.
    """
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import ParseError, iterparse

    try:
        for _, element in iterparse(BytesIO(xml)):
            kind = _local(element.tag)
            if kind in ("url", "sitemap"):
                said = {_local(child.tag): (child.text or "").strip() for child in element}
                if said.get("loc"):
                    yield kind, said["loc"], said.get("lastmod", "")
                element.clear()
    except (ParseError, DefusedXmlException, ValueError):
        raise FetchFailed("the sitemap is not well-formed XML without entities") from None


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _inflated(body: bytes) -> bytes:
    """A sitemap that came as .xml.gz, inflated within the bound."""
    if not body.startswith(b"\x1f\x8b"):
        return body
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        data = inflater.decompress(body, MAX_SITEMAP_BYTES + 1)
    except zlib.error:
        raise FetchFailed("the sitemap's gzip is damaged") from None
    if len(data) > MAX_SITEMAP_BYTES:
        raise FetchFailed(f"the sitemap inflates to more than {MAX_SITEMAP_BYTES:,} bytes")
    return data


def _without_secrets(url: str, *, keep_query: bool) -> str:
    """A URL without user, password and fragment."""
    try:
        parts = urlsplit(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:  # no URL: it lies on no host that is ours
        return ""
    return urlunsplit((parts.scheme, host + port, parts.path or "/", parts.query if keep_query else "", ""))


def _set_time(path: Path, header: str, lastmod: str) -> None:
    """Give the file the page's time where the server or the sitemap says it."""
    for read, said in ((parsedate_to_datetime, header), (datetime.fromisoformat, lastmod)):
        try:
            seconds = read(said).timestamp()
            os.utime(path, (seconds, seconds))
        except (ValueError, TypeError, IndexError, OverflowError, OSError):
            continue
        return
