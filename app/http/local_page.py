"""Pages for one person on this machine: served on loopback, opened by a link that works once.

Whoever has pages to show supplies plain handlers; nothing of a web framework is seen beyond this file.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.middleware import BodyBound, LoopbackOnly, Problems
from app.http.serve import listen, server

HOST = "127.0.0.1"
MAX_BODY_BYTES = 1_000_000
MAX_FIELDS = 200
SEE_OTHER = 303

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": with it a browser sends a form's Origin as "null", and the check of the origin would fail.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What a handler is told. `csrf` belongs into a hidden field `csrf` of every form; it has been checked."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]
    csrf: str


@dataclass(frozen=True, slots=True)
class Page:
    """HTML with a status other than 200."""

    html: str
    status: int


@dataclass(frozen=True, slots=True)
class Redirect:
    """Go and GET another page of this site, by its path."""

    to: str


Reply = str | Page | Redirect | None
Handler = Callable[[PageRequest], Awaitable[Reply]]
Routes = Mapping[tuple[str, str], Handler]
"""By method (GET or POST) and path, such as ("GET", "/case/{name}"). A handler that returns None has no such page."""


def serve_local(routes: Routes, *, port: int, token: str, static: Path, opened: Callable[[str], None]) -> None:
    """Serve pages on loopback until SIGINT or SIGTERM.

    Args:
        routes: The pages.
        port: 0 takes any free one.
        token: What the first link has to hold; it lets one browser in, once.
        static: A folder whose files are served under /static/.
        opened: Told the link once the address is known; a browser that follows it waits until the server is up.

    Raises:
        ConfigError: The port is taken.
    """
    with listen(HOST, port) as listener:
        opened(f"http://{HOST}:{listener.getsockname()[1]}/?token={token}")
        with suppress(KeyboardInterrupt):  # uvicorn raises it again after it has stopped in good order
            server(local_app(routes, token=token, static=static)).run(sockets=[listener])


def local_app(routes: Routes, *, token: str, static: Path) -> ASGIApp:
    """The ASGI application of `serve_local`."""
    csrf = secrets.token_urlsafe(32)
    served: list[BaseRoute] = [
        Route(path, _endpoint(handler, csrf), methods=[method]) for (method, path), handler in routes.items()
    ]
    onion = [
        Middleware(_Guarded),
        Middleware(Problems),
        Middleware(LoopbackOnly),
        Middleware(_Gate, token=token),
        Middleware(BodyBound, max_bytes=MAX_BODY_BYTES, larger={}),
    ]
    return Starlette(routes=[*served, Mount("/static", StaticFiles(directory=static))], middleware=onion)


class _Guarded:
    """Tells browsers to run nothing but our own files, and to keep nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self.app(scope, receive, guarded)


class _Gate:
    """Lets in the browser that came with the token, once, and from then on knows it by its cookie."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self._token: str | None = token
        self._session = secrets.token_urlsafe(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        # Cookies do not tell ports apart: without its port in the name, two reviews at once would log each other out.
        name = f"assay-local-{scope['server'][1]}"
        given = request.query_params.get("token")
        if scope["method"] == "GET" and given is not None and self._token and _same(given, self._token):
            self._token = None
            reply: Response = RedirectResponse("/", SEE_OTHER)
            reply.set_cookie(name, self._session, httponly=True, samesite="strict")
        elif _same(request.cookies.get(name, ""), self._session):
            # One that knows the cookie cannot be a page elsewhere, but a form elsewhere may still be submitted.
            if scope["method"] == "POST" and Headers(scope=scope).get("origin") is None:
                reply = PlainTextResponse("This form was sent by no page of this site.", 403)
            else:
                await self.app(scope, receive, send)
                return
        else:
            reply = PlainTextResponse("Open the link that was printed at the start. It works once.", 403)
        await reply(scope, receive, send)


def _endpoint(handler: Handler, csrf: str) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        form: dict[str, str] = {}
        if request.method == "POST":
            try:
                form = _fields(await request.body(), request.headers.get("content-type", ""))
            except ValueError as error:
                return PlainTextResponse(f"The form cannot be read: {error}", 400)
            if not _same(form.pop("csrf", ""), csrf):
                return PlainTextResponse("This form is not of this session. Go back, reload and try again.", 403)
        path = {name: str(value) for name, value in request.path_params.items()}
        reply = await handler(PageRequest(path, dict(request.query_params), form, csrf))
        if isinstance(reply, Redirect):
            return RedirectResponse(reply.to, SEE_OTHER)
        if reply is None:
            return PlainTextResponse("There is no such page.", 404)
        return HTMLResponse(reply.html, reply.status) if isinstance(reply, Page) else HTMLResponse(reply)

    return answer


def _fields(body: bytes, media_type: str) -> dict[str, str]:
    """The fields of a form, each at most once; line ends as Python has them."""
    if media_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise ValueError("it is not urlencoded")
    pairs = parse_qsl(
        body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=MAX_FIELDS,
        errors="strict",
    )  # fmt: skip
    fields = {name: value.replace("\r\n", "\n") for name, value in pairs}
    if len(fields) < len(pairs):
        raise ValueError("a field stands in it twice")
    return fields


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode(), other.encode())
