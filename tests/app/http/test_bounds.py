import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from app.bootstrap import Services
from app.http.server import create_app
from app.http.shared import InFlight
from app.llm.scripted import ScriptedProvider
from app.settings import Settings, load_settings
from retrieval.files import list_files
from tests.app.http.conftest import Client


@pytest.fixture
def settings(tmp_path) -> Settings:
    return load_settings(
        home=tmp_path / "home",
        http={"max_body_bytes": 2_000, "max_upload_bytes": 100_000, "max_turns_in_flight": 2},
        chat={"max_question_chars": 100, "max_history_messages": 4, "max_history_chars": 200},
    )


def too_large(response: httpx.Response) -> bool:
    return response.status_code == 413 and response.json()["type"] == "/problems/body-too-large"


class Reads:
    """A body that counts what was asked of it."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.sent = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.sent < self.size:
            self.sent += 500
            yield b" " * 500


async def test_a_told_length_over_the_bound_is_refused_unread(client: httpx.AsyncClient) -> None:
    body = Reads(1_000_000)
    headers = {"content-length": "1000000", "content-type": "application/json"}
    assert too_large(await client.post("/v1/chat", content=body, headers=headers))
    assert body.sent == 0


async def test_a_chunked_body_is_counted_and_cut_off(client: httpx.AsyncClient) -> None:
    body = Reads(1_000_000)
    response = await client.post("/v1/chat", content=body, headers={"content-type": "application/json"})
    assert too_large(response)
    assert body.sent < 4_000


async def test_uploads_have_their_own_bound(client: httpx.AsyncClient) -> None:
    text = b"Words to be read. " * 2_000
    assert (await client.post("/v1/documents", files={"file": ("a.txt", text)})).status_code == 201
    assert too_large(await client.post("/v1/documents", files={"file": ("b.txt", b"x" * 200_000)}))


async def test_a_chunked_upload_is_cut_off(client: httpx.AsyncClient) -> None:
    body = Reads(10_000_000)
    headers = {"content-type": "multipart/form-data; boundary=x"}
    response = await client.post("/v1/documents", content=body, headers=headers)
    assert response.status_code in (400, 413)
    assert body.sent < 200_000


async def test_questions_and_history_are_bounded(client: httpx.AsyncClient) -> None:
    message = {"role": "user", "content": "x"}
    for body in (
        {"question": "x" * 101},
        {"question": "x", "history": [message] * 5},
        {"question": "x", "history": [{"role": "user", "content": "x" * 201}]},
    ):
        response = await client.post("/v1/chat", json=body)
        assert (response.status_code, response.json()["type"]) == (422, "/problems/invalid-request")
    assert (await client.post("/v1/chat", json={"question": "x" * 100, "history": [message] * 4})).status_code == 200


async def test_openai_clients_may_send_long_conversations(client: httpx.AsyncClient) -> None:
    messages = [{"role": "user", "content": f"question {i}"} for i in range(30)]
    assert (await client.post("/v1/chat/completions", json={"messages": messages})).status_code == 200
    messages = [{"role": "user", "content": "x" * 101}]
    assert (await client.post("/v1/chat/completions", json={"messages": messages})).status_code == 422


async def test_notes_are_bounded(client: httpx.AsyncClient) -> None:
    turn = (await client.post("/v1/chat", json={"question": "What is a canary?"})).json()["turn_id"]
    url = "/v1/feedback"
    assert (await client.post(url, json={"turn_id": turn, "rating": "up", "note": "é" * 900})).status_code == 204
    assert (await client.post(url, json={"turn_id": turn, "rating": "up", "note": "é" * 2_001})).status_code in (
        413,
        422,
    )
    assert (await client.post(url, json={"turn_id": turn, "rating": "fine"})).status_code == 422


async def test_turns_over_the_bound_are_told_to_come_again(build_services, documents, client_of: Client) -> None:
    services: Services = build_services(ScriptedProvider(["It waits."] * 4, delay_s=0.3))
    services.ingestor.ingest(list_files([documents]), "default")
    async with client_of(services) as client:
        asked = [
            client.post("/v1/chat", json={"question": "What is a canary?", "stream": stream})
            for stream in (True, False, True, False)
        ]
        responses = await asyncio.gather(*asked)
        refused = [response for response in responses if response.status_code == 429]
        assert len(refused) == 2
        assert refused[0].headers["retry-after"]
        assert refused[0].json()["type"] == "/problems/too-many-requests"
        assert (await client.post("/v1/chat", json={"question": "Free again?"})).status_code == 200


async def test_a_slot_is_given_back_whatever_happens(corpus: Services) -> None:
    app = create_app(corpus, require_key=False)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for body in ({"question": "?", "corpus": "none"}, {"question": "?", "stream": True}, {"question": 7}):
            await client.post("/v1/chat", json=body)
    assert app.state.shared.turns.now == 0
    slots = InFlight(1, "turns")
    with pytest.raises(ZeroDivisionError), slots.slot():
        raise ZeroDivisionError
    assert slots.now == 0
