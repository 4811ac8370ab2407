"""GET from one host under bounds, never from a private address. The only door of this room to httpx.

A name is resolved once, its addresses are checked, and the connection goes to the very address that was checked: a
name server that answers differently the second time gains nothing.
"""

import ipaddress
import logging
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urljoin, urlsplit, urlunsplit

import httpx

from retrieval.sources.port import Budget

AGENT = "assay-ingest"
MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_PORTS = {"http": 80, "https": 443}
_CARRIERS = [ipaddress.ip_network(net) for net in ("64:ff9b::/96", "2002::/16", "2001::/32")]
"""IPv6 networks whose addresses carry an IPv4 address, which could be a private one."""

for _name in ("httpx", "httpcore"):  # they log whole URLs, with what may be secret in them
    logging.getLogger(_name).setLevel(logging.WARNING)


class FetchFailed(Exception):
    """A URL could not be had. The message holds no URL but its path."""


class TooLarge(FetchFailed):
    """An answer is longer than was asked for."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer. `status` is 200, or what a page that is not there says: 404, 410 or another of 4xx."""

    status: int
    body: bytes
    modified: str


@dataclass(slots=True)
class SiteClient:
    """Fetches from the host of `root` only, at most `requests_per_s` times a second."""

    root: str
    budget: Budget
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    pause_s: float = field(init=False)
    _client: httpx.Client = field(init=False, repr=False)
    _next: float = field(init=False, default=0.0)
    _address: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self.pause_s = 1 / self.budget.limits.requests_per_s
        timeout = httpx.Timeout(self.budget.limits.request_timeout_s)
        # No proxy from the environment: it would resolve the name itself.
        self._client = httpx.Client(timeout=timeout, trust_env=False, follow_redirects=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, url: str, max_bytes: int) -> Fetched:
        """Fetch a URL of the site, following redirects within it.

        Raises:
            FetchFailed: It lies elsewhere, is over a bound, or the server fails.
        """
        for _ in range(MAX_REDIRECTS + 1):
            self._check(url)
            self._wait()
            try:
                fetched, onward = self._once(url, max_bytes)
            except httpx.HTTPError as error:
                raise FetchFailed(f"the request failed: {type(error).__name__}") from None
            except OSError as error:
                raise FetchFailed(f"the host cannot be reached: {type(error).__name__}") from None
            if not onward:
                return fetched
            url = urljoin(url, onward)
        raise FetchFailed(f"more than {MAX_REDIRECTS} redirects")

    def same_site(self, url: str) -> bool:
        """Whether a URL lies on the host of the root. From https, http is another site."""
        try:
            here, there = urlsplit(self.root), urlsplit(url)
            ports = [(part.port or _PORTS.get(part.scheme), part.scheme) for part in (here, there)]
        except ValueError:
            return False
        upgraded = ports[0] == (80, "http") and ports[1] == (443, "https")
        return here.hostname == there.hostname and (ports[0] == ports[1] or upgraded)

    def _check(self, url: str) -> None:
        if not self.same_site(url):
            raise FetchFailed("it leads to another host")

    def _wait(self) -> None:
        pause = self._next - time.monotonic()
        if pause > self.budget.seconds_left or not self.budget.seconds_left:
            self.budget.deadline = 0.0  # what is left is too short for a single request
            raise FetchFailed("the time of the source is over")
        time.sleep(max(0.0, pause))
        self._next = time.monotonic() + self.pause_s

    def _once(self, url: str, max_bytes: int) -> tuple[Fetched, str]:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        address = self._resolved(host, port)
        pinned = urlunsplit((parts.scheme, f"{address}:{port}", parts.path or "/", parts.query, ""))
        name = f"[{host}]" if ":" in host else host
        headers = {
            **self.headers,
            "Host": name if port == _PORTS[parts.scheme] else f"{name}:{port}",
            "User-Agent": AGENT,
            "Accept-Encoding": "identity",  # so that bytes on the wire are the bytes that are counted
        }
        with self._client.stream("GET", pinned, headers=headers, extensions={"sni_hostname": host}) as response:
            if response.status_code in _REDIRECTS:
                return Fetched(response.status_code, b"", ""), response.headers.get("location", "")
            if 400 <= response.status_code < 500 and response.status_code not in (408, 429):
                return Fetched(response.status_code, b"", ""), ""
            if response.status_code != 200:
                raise FetchFailed(f"the server answered {response.status_code}")
            if response.headers.get("content-encoding", "identity") != "identity":
                raise FetchFailed("the server compresses though it was asked not to")
            return Fetched(200, self._body(response, max_bytes), response.headers.get("last-modified", "")), ""

    def _body(self, response: httpx.Response, max_bytes: int) -> bytes:
        body = bytearray()
        for piece in response.iter_raw():
            body += piece
            if len(body) > max_bytes:
                raise TooLarge(f"more than {max_bytes:,} bytes")
            if not self.budget.seconds_left:
                raise FetchFailed("the time of the source is over")
        return bytes(body)

    def _resolved(self, host: str, port: int) -> str:
        """The address of the host, brackets included, resolved once and checked."""
        if not self._address:
            found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
            if not self.budget.limits.allow_private_addresses and not all(map(is_public, found)):
                raise FetchFailed("its host has a private address; retrieval.sources.allow_private_addresses allows it")
            self._address = f"[{found[0]}]" if ":" in found[0] else found[0]
        return self._address


def is_public(address: str) -> bool:
    """Whether an address is one of the public internet: none of this machine, its network or its cloud."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return is_public(str(found.ipv4_mapped))
        if any(found in network for network in _CARRIERS):
            return False
    return found.is_global and not found.is_multicast
