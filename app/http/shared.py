"""What the routes share while the service runs."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from app.bootstrap import Services
from app.errors import TooManyRequests
from app.joining.serving import Serving
from app.store.conversations import Owner
from retrieval.types import NOBODY, Access

BATCHES_IN_FLIGHT = 2
UPLOADS_IN_FLIGHT = 4
"""Uploads received or waiting for their turn to be ingested; more would only fill the disk."""


ACCESS = "assay.access"
"""Where the check of keys leaves what a request's key gives access to."""


PAYER = "assay.payer"
"""Where it leaves the name of the key."""


def payer_of(request: Request) -> str:
    """Whose daily budget pays for a request; "" without keys."""
    return str(request.scope.get(PAYER, ""))


KEY = "assay.key"
"""Where it leaves what tells keys apart."""


def key_mark(key: str) -> str:
    """What tells a key from another one and gives neither away: a key is 256 random bits."""
    return hashlib.sha256(b"conversations\0" + key.encode("utf-8", "surrogatepass")).hexdigest()


def owner_of(request: Request) -> Owner:
    """Whose conversations a request may go on with: those that the same key began."""
    return Owner(access_of(request).tenant, str(request.scope.get(KEY, "")))


def access_of(request: Request) -> Access:
    """What a request may see; without keys, what belongs to no tenant."""
    found = request.scope.get(ACCESS, NOBODY)
    assert isinstance(found, Access)
    return found


class InFlight:
    """Counts what is under way and refuses what is over the bound."""

    def __init__(self, limit: int, what: str) -> None:
        self._limit = limit
        self._what = what
        self.now = 0

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold one place.

        Raises:
            TooManyRequests: All places are taken.
        """
        if self.now >= self._limit:
            raise TooManyRequests(f"{self._limit} {self._what} are in flight already. Try again in a moment.")
        self.now += 1
        try:
            yield
        finally:
            self.now -= 1


@dataclass(slots=True)
class Shared:
    """The services and the state of this process."""

    services: Services
    serving: Serving
    require_key: bool
    turns: InFlight
    uploads: InFlight
    batches: InFlight
    ingesting: asyncio.Lock = field(default_factory=asyncio.Lock)
    ready: bool = False
    failure: str = ""


async def _shared(request: Request) -> Shared:
    shared = request.app.state.shared
    assert isinstance(shared, Shared)
    return shared


SharedState = Annotated[Shared, Depends(_shared)]


async def turn_slot(shared: SharedState) -> AsyncIterator[None]:
    """A dependency of the routes that answer: holds a place until the last byte of the answer is out."""
    with shared.turns.slot():
        yield
