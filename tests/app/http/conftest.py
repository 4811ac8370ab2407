from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import pytest

from app.bootstrap import Services
from app.http.server import create_app

Client = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def client_of() -> Client:
    """A client of the application over given services, in this process and without its lifespan."""

    @asynccontextmanager
    async def connect(services: Services, *, require_key: bool = False) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(create_app(services, require_key=require_key))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            yield client

    return connect


@pytest.fixture
async def client(corpus: Services, client_of: Client) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service over the corpus of three documents."""
    async with client_of(corpus) as client:
        yield client
