import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from app.llm import prompt

from .upstream import Upstream

Serve = Callable[[Upstream], Awaitable[Upstream]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start an Upstream; its `base_url` is set on return."""
    servers: list[asyncio.Server] = []

    async def start(upstream: Upstream) -> Upstream:
        server = await asyncio.start_server(upstream.answer, "127.0.0.1", 0)
        servers.append(server)
        upstream.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        return upstream

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def steady_marker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The prompt's random marker held still: a small model's words change with it."""
    monkeypatch.setattr(prompt.secrets, "token_hex", lambda size: "4c5a05a46d91f47a")
