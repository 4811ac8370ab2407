"""The onion around the routes, outermost first. Plain ASGI, so that streams and cancellation pass through."""

import ipaddress
import logging
import time
import uuid
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.failures import BodyTooLarge, ForeignHost, ForeignOrigin, KeyRequired, problem
from app.http.shared import ACCESS, KEY, PAYER, key_mark
from app.settings import HttpSettings
from app.store.turns import KeyStore

UPLOADS = "/v1/documents"
MULTIPART_BYTES = 65_536
"""What the wrapping of an upload may add to the file itself."""

_OPEN_PATHS = {"/", "/healthz", "/readyz"}
_OPEN_FOLDER = "/static/"

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_SECURITY_HEADERS = {
    "Content-Security-Policy": _CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}

_access = logging.getLogger("app.http.access")


def onion(settings: HttpSettings, keys: KeyStore, *, require_key: bool) -> list[Middleware]:
    """All middleware. What refuses a request raises, and `Problems` answers."""
    larger = {UPLOADS: settings.max_upload_bytes + MULTIPART_BYTES}
    return [
        Middleware(RequestId),
        Middleware(SecurityHeaders),
        Middleware(Problems),
        Middleware(KeyCheck, keys=keys) if require_key else Middleware(LoopbackOnly),
        Middleware(BodyBound, max_bytes=settings.max_body_bytes, larger=larger),
    ]


class RequestId:
    """Names each request and logs it without its query string."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Name the request, pass it on, log what came of it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        name = scope["assay.request_id"] = str(uuid.uuid4())
        began, status = time.perf_counter(), 0

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = name
            await send(message)

        try:
            await self.app(scope, receive, named)
        finally:
            elapsed_ms = (time.perf_counter() - began) * 1000
            # %r: a path may hold line ends.
            _access.info("%s %r %d %.0f ms %s", scope["method"], scope["path"], status, elapsed_ms, name)


class SecurityHeaders:
    """Tells browsers to run nothing but our own files, and nobody to keep what the API says."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers to whatever answers."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_SECURITY_HEADERS)
                # Pages and static files have an ETag: to ask again is cheap, and an update is seen at once.
                headers.setdefault("Cache-Control", "no-store" if scope["path"].startswith("/v1/") else "no-cache")
            await send(message)

        await self.app(scope, receive, guarded)


class Problems:
    """Answers whatever was raised within, unless the answer has begun already."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; answer what is raised."""
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:  # the last stop: `problem` logs what is not expected
            if started or scope["type"] != "http":
                raise
            await problem(error, scope).response()(scope, receive, send)


class KeyCheck:
    """Lets requests in that carry an API key; health, the page and its files are open."""

    def __init__(self, app: ASGIApp, keys: KeyStore) -> None:
        self.app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if it may."""
        if scope["type"] == "http" and not _is_open(scope["path"]):
            scheme, _, key = Headers(scope=scope).get("authorization", "").partition(" ")
            held = await run_in_threadpool(self._keys.held, key.strip()) if scheme.lower() == "bearer" else None
            if held is None:
                raise KeyRequired("Send a key as 'Authorization: Bearer …'. `assay keys create NAME` makes one.")
            scope[PAYER], scope[ACCESS] = held
            scope[KEY] = key_mark(key.strip())
        await self.app(scope, receive, send)


class LoopbackOnly:
    """Without keys, what protects the service is that only this machine reaches it.

    A web page elsewhere can make the browser of this machine send requests: under its own name by DNS rebinding, or
    from its own origin. Both are refused.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if it comes from this machine and not from another site."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            host, origin = headers.get("host", ""), headers.get("origin")
            if not is_loopback(_hostname(host)):
                raise ForeignHost("Without API keys this is served on loopback names only, such as 127.0.0.1.")
            if origin is not None and origin.lower() != f"{scope['scheme']}://{host}".lower():
                raise ForeignOrigin("Without API keys only this service's own page may call it from a browser.")
        await self.app(scope, receive, send)


class BodyBound:
    """Refuses bodies over a bound: at once where the length is told, else as soon as it is passed."""

    def __init__(self, app: ASGIApp, max_bytes: int, larger: Mapping[str, int]) -> None:
        self.app = app
        self._max_bytes = max_bytes
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a body that ends at its bound."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self._larger.get(scope["path"], self._max_bytes)
        told = Headers(scope=scope).get("content-length", "")
        if told.isdecimal() and int(told) > limit:
            raise BodyTooLarge(limit)
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise BodyTooLarge(limit)
            return message

        await self.app(scope, counted, send)


def is_loopback(host: str) -> bool:
    """Whether an address or name is this machine's own. Names other than "localhost" are not looked up."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _hostname(host: str) -> str:
    """The name of a Host header without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_open(path: str) -> bool:
    return path in _OPEN_PATHS or path.startswith(_OPEN_FOLDER)
