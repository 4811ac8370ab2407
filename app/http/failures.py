"""Errors as RFC 9457 problem documents. The types are documented in docs/http.md and never change their meaning."""

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Scope

from app.errors import (
    BudgetSpent,
    ConfigError,
    ConversationNotFound,
    ConversationsOff,
    ProviderError,
    ProviderTimeout,
    RequestError,
    TooManyRequests,
    TurnNotFound,
)
from retrieval.errors import (
    CorpusError,
    CorpusNotFound,
    DocumentNotFound,
    IngestRunning,
    ModelMissing,
    SnapshotNotFound,
    StoreUnavailable,
)
from retrieval.types import Quarantined

MEDIA_TYPE = "application/problem+json"

_log = logging.getLogger(__name__)
_MAX_ERRORS = 20
_MAX_NAME_CHARS = 60


class HttpError(Exception):
    """Base of what goes wrong at this door itself. The message is shown to the caller."""


class InvalidRequest(HttpError):
    """The body is well-formed but asks for something out of bounds."""


class ModelNotFound(HttpError):
    """The `model` of an OpenAI-compatible request names no corpus."""


class KeyRequired(HttpError):
    """There is no API key in the request, or one that nobody holds."""


class ForeignHost(HttpError):
    """A request to a loopback address under another name: what DNS rebinding looks like."""


class ForeignOrigin(HttpError):
    """A request that a page of another origin makes a browser send."""


class NotReady(HttpError):
    """Models or indexes are still being loaded, or could not be."""


class ClientGone(HttpError):
    """The client hung up; nobody will read this."""


class BodyTooLarge(HTTPException):
    """The body is over its bound. An HTTPException, because FastAPI lets only those out of reading a body."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(413, f"The body is larger than {max_bytes:,} bytes.")


class DocumentRefused(HttpError):
    """An uploaded file could not become a document."""

    def __init__(self, row: Quarantined) -> None:
        super().__init__(f"'{row.uri}' cannot be read: {row.detail}")
        self.extra = {"code": str(row.code), "stage": str(row.stage)}


@dataclass(frozen=True, slots=True)
class Kind:
    """What is told about a class of errors. `detail` stands in for a message that is not for callers."""

    status: int
    slug: str
    title: str
    detail: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


_RETRY = {"Retry-After": "2"}
_UNEXPECTED = Kind(500, "internal-error", "Internal error", "Something went wrong here. The log has it under this id.")

KINDS: Mapping[type[Exception], Kind] = {
    CorpusNotFound: Kind(404, "corpus-not-found", "No such corpus"),
    SnapshotNotFound: Kind(404, "snapshot-not-found", "No such snapshot"),
    DocumentNotFound: Kind(404, "document-not-found", "No such document"),
    TurnNotFound: Kind(404, "turn-not-found", "No such turn"),
    ConversationNotFound: Kind(404, "conversation-not-found", "No such conversation"),
    ConversationsOff: Kind(403, "conversations-off", "Conversations are not kept"),
    ModelNotFound: Kind(404, "model-not-found", "No such model"),
    IngestRunning: Kind(409, "ingest-running", "Another ingest is running", headers={"Retry-After": "10"}),
    CorpusError: Kind(409, "corpus-conflict", "The corpus cannot do that now"),
    DocumentRefused: Kind(422, "document-refused", "The document cannot be read"),
    InvalidRequest: Kind(422, "invalid-request", "The request is not valid"),
    RequestError: Kind(400, "bad-request", "The request cannot be done"),
    TooManyRequests: Kind(429, "too-many-requests", "Too many requests at once", headers=_RETRY),
    BudgetSpent: Kind(429, "budget-spent", "The day's budget is spent"),
    KeyRequired: Kind(
        401, "key-required", "An API key is needed", headers={"WWW-Authenticate": 'Bearer realm="assay"'}
    ),
    ForeignHost: Kind(421, "foreign-host", "Not served under this name"),
    ForeignOrigin: Kind(403, "foreign-origin", "Not allowed from other origins"),
    NotReady: Kind(503, "not-ready", "Not ready yet", headers=_RETRY),
    StoreUnavailable: Kind(
        503, "store-unavailable", "A store cannot be reached", "Try again in a moment.", headers=_RETRY
    ),
    ModelMissing: Kind(503, "model-missing", "A model is not installed"),
    # Messages of providers and settings are fit for a log: they may name hosts and paths.
    ProviderTimeout: Kind(504, "provider-timeout", "The language model took too long", "It passed its deadline."),
    ProviderError: Kind(502, "provider-failed", "The language model failed", "It could not be reached or broke off."),
    ConfigError: Kind(500, "misconfigured", "The service is misconfigured", "The log says which setting is wrong."),
    ClientGone: Kind(499, "client-gone", "The client hung up"),
    Exception: _UNEXPECTED,
}

_OF_STATUS = {
    400: "bad-request",
    404: "not-found",
    405: "method-not-allowed",
    413: "body-too-large",
    415: "unsupported-media-type",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem document with the headers that go with it."""

    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def status(self) -> int:
        """The HTTP status, which the body repeats."""
        return int(self.body["status"])

    def response(self) -> JSONResponse:
        """As an HTTP response."""
        return JSONResponse(self.body, self.status, self.headers, media_type=MEDIA_TYPE)


def request_id(scope: Scope) -> str:
    """The id that the outermost middleware gave to the request."""
    return str(scope.get("assay.request_id") or uuid.uuid4())


def problem(error: Exception, scope: Scope) -> Problem:
    """What the caller is told about an error; what is our own fault is logged under the id that the caller gets."""
    kind, detail, extra = _describe(error)
    instance = f"urn:uuid:{request_id(scope)}"
    if kind.status >= 500 and not isinstance(error, NotReady):
        _log.error("%s: %s", instance, kind.slug, exc_info=error)
    body = {
        "type": f"/problems/{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "instance": instance,
        **extra,
    }
    wait = {"Retry-After": str(error.retry_after_s)} if isinstance(error, BudgetSpent) else {}
    return Problem(body, {**kind.headers, **wait})


async def answer(request: Request, error: Exception) -> JSONResponse:
    """The exception handler of the application."""
    return problem(error, request.scope).response()


def _describe(error: Exception) -> tuple[Kind, str, dict[str, Any]]:
    if isinstance(error, HTTPException):
        slug = _OF_STATUS.get(error.status_code, "http-error")
        kind = Kind(error.status_code, slug, HTTPStatus(error.status_code).phrase, headers=error.headers or {})
        return kind, str(error.detail), {}
    if isinstance(error, RequestValidationError):
        kind = KINDS[InvalidRequest]
        return kind, "The body or a parameter does not have the documented form.", {"errors": _errors(error)}
    kind = next(KINDS[ancestor] for ancestor in type(error).__mro__ if ancestor in KINDS)
    return kind, kind.detail or str(error), getattr(error, "extra", {})


def _errors(error: RequestValidationError) -> list[dict[str, str]]:
    """Where and what; never the input itself, which may be private, long or hostile."""
    return [
        {"where": ".".join(str(part)[:_MAX_NAME_CHARS] for part in item["loc"]), "message": str(item["msg"])}
        for item in error.errors()[:_MAX_ERRORS]
    ]
