"""Many questions in one request: each its own result or problem, in order, bounded."""

import asyncio

import httpx
import pytest

from app.bootstrap import Services
from app.http.server import create_app
from retrieval.files import list_files
from tests.app.http.conftest import Client
from tests.app.http.serving import running
from tests.app.http.test_chat_route import Endless, untimed
from tests.conftest import Build

QUESTION = "How much traffic does a canary release send to the new version?"


async def test_each_item_is_the_answer_or_the_problem_that_it_would_be_alone(client: httpx.AsyncClient) -> None:
    requests = [
        {"id": "right", "question": QUESTION},
        {"id": "empty", "question": " "},
        {"id": "nowhere", "question": QUESTION, "corpus": "nothing"},
        {"id": "streamed", "question": QUESTION, "stream": True},
        {"question": "How long is the gap between train and test?"},
        {"id": "strange", "question": QUESTION, "temperature": 0},
    ]
    response = await client.post("/v1/batch", json={"requests": requests})
    said = response.json()
    assert (response.status_code, said["answered"], said["failed"]) == (200, 2, 4)
    assert [item["id"] for item in said["items"]] == ["right", "empty", "nowhere", "streamed", "", "strange"]
    alone = await client.post("/v1/chat", json={"question": QUESTION})
    assert untimed(said["items"][0]["result"]) == untimed(alone.json())
    problems = [item["problem"]["type"] for item in said["items"] if "problem" in item]
    assert problems == [
        "/problems/invalid-request", "/problems/corpus-not-found", "/problems/invalid-request",
        "/problems/invalid-request",
    ]  # fmt: skip


async def test_equal_questions_of_a_batch_are_one_turn(client: httpx.AsyncClient) -> None:
    said = (await client.post("/v1/batch", json={"requests": [{"question": QUESTION}] * 4})).json()
    assert len({item["result"]["turn_id"] for item in said["items"]}) == 1


@pytest.mark.parametrize("requests", [[], [{"question": "?"}] * 101])
async def test_a_batch_is_bounded(client: httpx.AsyncClient, requests: list[object]) -> None:
    assert (await client.post("/v1/batch", json={"requests": requests})).status_code == 422


async def test_a_client_that_hangs_up_cancels_the_batch(build_services: Build, documents) -> None:
    provider = Endless()
    services = build_services(provider)
    services.ingestor.ingest(list_files([documents]), "default")
    app = create_app(services, require_key=False)
    with running(app) as address:
        async with httpx.AsyncClient(base_url=address) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.0):
                    await client.post("/v1/batch", json={"requests": [{"question": QUESTION}]}, timeout=30)
        for _ in range(40):
            await asyncio.sleep(0.05)
            if provider.cancelled.is_set() and app.state.shared.batches.now == 0:
                break
        assert provider.cancelled.is_set()
        assert app.state.shared.batches.now == 0


async def test_tenants_stay_apart(corpus: Services, client_of: Client) -> None:
    from retrieval.types import Access

    key = corpus.keys.create("a", Access("acme"))
    async with client_of(corpus, require_key=True) as client:
        body = {"requests": [{"question": QUESTION}]}
        assert (await client.post("/v1/batch", json=body)).status_code == 401
        said = (await client.post("/v1/batch", json=body, headers={"authorization": f"Bearer {key}"})).json()
    assert said["items"][0]["result"]["abstained"] is True
