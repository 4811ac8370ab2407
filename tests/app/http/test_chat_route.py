import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from app.bootstrap import Services
from app.errors import ProviderError
from app.http.server import create_app
from app.llm.port import DraftPart, DraftRequest, DraftText
from app.llm.scripted import ScriptedProvider
from app.rendering import result_json
from app.types import ChatRequest
from retrieval.files import list_files
from tests.app.http.conftest import Client
from tests.app.http.events import parse
from tests.app.http.serving import running

QUESTION = "How much traffic does a canary release send to the new version?"
DRAFT = "A canary release sends 1 percent of the traffic to the new version for one hour. It costs 900 dollars."


def untimed(result: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in result.items() if key not in {"turn_id", "timings_ms"}}


async def test_an_answer_is_the_turn_of_the_pipeline(client: httpx.AsyncClient, corpus: Services) -> None:
    response = await client.post("/v1/chat", json={"question": QUESTION})
    assert response.status_code == 200
    expected = result_json(await corpus.pipeline.run(ChatRequest(QUESTION)))
    assert untimed(response.json()) == untimed(expected)
    assert list(response.json()) == [
        "answer", "abstained", "action", "reason", "confidence", "missing", "options", "claims", "dropped",
        "dropped_why", "passages", "corpus", "snapshot", "provider", "usage", "usage_by_provider", "cost_usd",
        "attempts", "degraded", "cached",
        "timings_ms", "turn_id",
    ]  # fmt: skip


async def test_every_citation_quotes_the_document_it_names(client: httpx.AsyncClient) -> None:
    result = (await client.post("/v1/chat", json={"question": QUESTION})).json()
    citations = [citation for claim in result["claims"] for citation in claim["citations"]]
    assert citations
    for citation in citations:
        url = f"/v1/documents/{citation['doc_id']}?snapshot={citation['snapshot']}"
        source = (await client.get(url)).json()
        assert source["text"][citation["start"] : citation["end"]] == citation["quote"]


async def test_a_stream_says_the_same_as_the_whole_answer(client: httpx.AsyncClient) -> None:
    whole = (await client.post("/v1/chat", json={"question": QUESTION})).json()
    response = await client.post("/v1/chat", json={"question": QUESTION, "stream": True})
    assert response.headers["content-type"].startswith("text/event-stream")
    events = parse(response.text)
    assert [name for name, _ in events] == ["passages", *["claim"] * len(whole["claims"]), "final"]
    assert events[0][1]["passages"] == whole["passages"]
    assert [data for name, data in events if name == "claim"] == whole["claims"]
    assert untimed(events[-1][1]) == untimed(whole)


async def test_history_reaches_the_provider(build_services, documents, client_of: Client) -> None:
    provider = ScriptedProvider([DRAFT])
    services = build_services(provider)
    services.ingestor.ingest(list_files([documents]), "default")
    history = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": "One percent."}]
    async with client_of(services) as client:
        result = (await client.post("/v1/chat", json={"question": "And for how long?", "history": history})).json()
    assert [(m.role, m.content) for m in provider.history[0].history] == [
        ("user", QUESTION), ("assistant", "One percent.")
    ]  # fmt: skip
    assert result["dropped"] == ["It costs 900 dollars."]
    assert result["provider"] == "scripted"


async def test_a_turn_that_breaks_in_mid_stream_ends_with_a_problem(
    corpus: Services, client_of: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError("disk full at /secret/path")

    monkeypatch.setattr(type(corpus.turns), "record", broken)
    async with client_of(corpus) as client:
        response = await client.post("/v1/chat", json={"question": QUESTION, "stream": True})
    name, data = parse(response.text)[-1]
    assert (response.status_code, name, data["type"]) == (200, "error", "/problems/internal-error")
    assert "secret" not in response.text


async def test_a_failed_provider_falls_back(build_services, documents, client_of: Client) -> None:
    services = build_services(ScriptedProvider([ProviderError("no route to 10.0.0.7")]))
    services.ingestor.ingest(list_files([documents]), "default")
    async with client_of(services) as client:
        result = (await client.post("/v1/chat", json={"question": QUESTION})).json()
    assert result["reason"] == "provider_failed"


class Endless:
    """A provider that never ends, and says when it was cancelled."""

    name = "endless"

    def __init__(self) -> None:
        self.cancelled = asyncio.Event()

    async def draft(self, request: DraftRequest) -> AsyncIterator[DraftPart]:
        try:
            while True:
                yield DraftText("A canary release sends 1 percent of the traffic to the new version for one hour.\n")
                await asyncio.sleep(0.01)
        finally:
            self.cancelled.set()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_hangs_up_cancels_the_turn(build_services, documents, stream: bool) -> None:
    provider = Endless()
    services = build_services(provider)
    services.ingestor.ingest(list_files([documents]), "default")
    app = create_app(services, require_key=False)
    with running(app) as address:
        async with httpx.AsyncClient(base_url=address) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.0):
                    await client.post("/v1/chat", json={"question": QUESTION, "stream": stream}, timeout=30)
        for _ in range(100):
            await asyncio.sleep(0.05)
            if provider.cancelled.is_set() and app.state.shared.turns.now == 0:
                break
        # Within the block: when the server stops it cancels whatever is left.
        assert provider.cancelled.is_set()
        assert app.state.shared.turns.now == 0


async def test_equal_questions_at_once_are_one_turn_and_one_who_leaves_is_not_missed(
    build_services, documents, client_of: Client
) -> None:
    provider = ScriptedProvider([DRAFT], delay_s=0.05)
    services = build_services(provider)
    services.ingestor.ingest(list_files([documents]), "default")
    with running(create_app(services, require_key=False)) as address:
        async with httpx.AsyncClient(base_url=address, timeout=60) as client:
            body = {"question": QUESTION}
            leaving = asyncio.create_task(client.post("/v1/chat", json=body))
            others = [
                asyncio.create_task(client.post("/v1/chat", json={**body, "stream": stream}))
                for stream in (False, True)
            ]
            await asyncio.sleep(0.3)
            leaving.cancel()
            whole, streamed = await asyncio.gather(*others)
    assert len(provider.history) == 1
    assert parse(streamed.text)[-1][1] == whole.json()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat", {"question": "half \ud800 a character"}),
        ("/v1/chat", {"question": "whole", "history": [{"role": "user", "content": "\udfff"}]}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "half \ud800"}]}),
        ("/v1/chat/completions", {"model": "assay/\ud800", "messages": [{"role": "user", "content": "whole"}]}),
    ],
)
async def test_half_a_character_is_refused(client: httpx.AsyncClient, path: str, body: dict[str, object]) -> None:
    response = await client.post(path, content=json.dumps(body), headers={"content-type": "application/json"})
    assert response.status_code in {404, 422}
    assert response.headers["content-type"] == "application/problem+json"
