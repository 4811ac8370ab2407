import asyncio
import gc
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from app.bootstrap import Services
from app.http.server import create_app
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.errors import ModelMissing
from tests.app.http.conftest import Client

from .serving import running


class Slow(HashingEmbedder):
    """An embedder whose weights take their time, or are missing."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.error = error
        self.loaded = threading.Event()

    def embed_query(self, text: str):
        assert self.loaded.wait(10)
        if self.error:
            raise self.error
        return super().embed_query(text)


@asynccontextmanager
async def started(services: Services, *, require_key: bool = False) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application with its lifespan."""
    app = create_app(services, require_key=require_key)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        yield client


def with_embedder(services: Services, embedder: HashingEmbedder) -> Services:
    return replace(services, retriever=replace(services.retriever, embedders=(embedder,)))


async def settled(client: httpx.AsyncClient, status: int, text: str) -> httpx.Response:
    for _ in range(200):
        response = await client.get("/readyz")
        if response.status_code == status and text in response.text:
            return response
        await asyncio.sleep(0.02)
    raise AssertionError(response.text)


async def test_health_is_up_at_once_and_readiness_waits_for_the_models(corpus: Services) -> None:
    embedder = Slow()
    async with started(with_embedder(corpus, embedder)) as client:
        assert (await client.get("/healthz")).json()["status"] == "ok"
        waiting = await client.get("/readyz")
        assert (waiting.status_code, waiting.json()["type"]) == (503, "/problems/not-ready")
        assert waiting.headers["retry-after"]
        embedder.loaded.set()
        assert (await settled(client, 200, "ready")).json() == {
            "status": "ready",
            "corpora": 1,
            "names": ["default"],
        }


@pytest.mark.parametrize(
    ("error", "said"), [(ModelMissing("Run: pip install x"), "pip install x"), (OSError("/secret"), "The log says why")]
)
async def test_a_service_that_cannot_become_ready_says_why(services: Services, error: Exception, said: str) -> None:
    embedder = Slow(error)
    embedder.loaded.set()
    async with started(with_embedder(services, embedder)) as client:
        response = await settled(client, 503, said)
        assert "/secret" not in response.text


async def test_without_documents_it_is_ready_with_a_hint(services: Services) -> None:
    async with started(services, require_key=True) as client:
        body = (await settled(client, 200, "ready")).json()
    assert body["corpora"] == 0
    assert "assay ingest" in body["hint"]
    assert "names" not in body


async def test_feedback_is_kept(client: httpx.AsyncClient, corpus: Services) -> None:
    turn = (await client.post("/v1/chat", json={"question": "What is a canary?"})).json()["turn_id"]
    body = {"turn_id": turn, "rating": "down", "note": "Too short."}
    response = await client.post("/v1/feedback", json=body)
    assert (response.status_code, response.content) == (204, b"")
    with sqlite3.connect(corpus.settings.home / "assay.db") as db:
        kept = db.execute("SELECT turn_id, rating, note FROM feedback").fetchall()
    db.close()
    assert kept == [(turn, "down", "Too short.")]


async def test_the_schema_names_every_route(corpus: Services, client_of: Client) -> None:
    async with client_of(corpus) as client:
        paths = (await client.get("/v1/openapi.json")).json()["paths"]
    assert set(paths) == {
        "/v1/chat", "/v1/chat/completions", "/v1/models", "/v1/documents", "/v1/documents/{doc_id}", "/v1/feedback",
        "/v1/turns/{turn_id}/lineage", "/v1/batch", "/v1/conversations", "/v1/conversations/{conversation_id}",
        "/healthz", "/readyz",
    }  # fmt: skip


async def test_what_is_loaded_is_out_of_the_collectors_sight_once_it_is_ready(corpus: Services) -> None:
    gc.unfreeze()
    with running(create_app(corpus, require_key=False)) as base_url:
        async with httpx.AsyncClient() as client:
            for _ in range(100):
                if (await client.get(f"{base_url}/readyz")).status_code == 200:
                    break
                await asyncio.sleep(0.05)
        assert gc.get_freeze_count() > 50_000
    gc.unfreeze()
