import asyncio
import json
import logging
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from pydantic import SecretStr

from app.errors import ProviderBusy, ProviderError, ProviderRefused, ProviderTimeout
from app.llm import openai_compatible
from app.llm.openai_compatible import Manner, OpenAICompatible
from app.llm.port import DraftPart, DraftText, DraftUsage
from app.types import Usage

from .conftest import Serve
from .upstream import Upstream, a_request, delta, sse, usage

KEY = "sk-very-secret"
PASSAGE = "The warranty lasts 24 months."
DONE = "[DONE]"


@asynccontextmanager
async def provider(base_url: str, **settings: object) -> AsyncIterator[OpenAICompatible]:
    defaults: dict[str, object] = {"api_key": SecretStr(KEY), "timeout_s": 5.0}
    made = OpenAICompatible(base_url, "tiny", **(defaults | settings))
    try:
        yield made
    finally:
        await made.close()


async def parts_of(made: OpenAICompatible) -> list[DraftPart]:
    return [part async for part in made.draft(a_request(PASSAGE, max_tokens=77))]


async def answered(serve: Serve, *script: bytes | float, **upstream: object) -> list[DraftPart]:
    server = await serve(Upstream(script=script, **upstream))
    async with provider(server.base_url) as made:
        return await parts_of(made)


def text_of(parts: list[DraftPart]) -> str:
    return "".join(part.text for part in parts if isinstance(part, DraftText))


async def test_what_is_sent(serve: Serve) -> None:
    server = await serve(Upstream(script=[sse(delta("Yes [1].", "stop"), DONE)]))
    async with provider(server.base_url) as made:
        await parts_of(made)
    (body,) = server.bodies
    assert body["model"] == "tiny"
    assert body["temperature"] == 0
    assert body["max_tokens"] == 77
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}
    assert body["messages"][0]["role"] == "system"
    assert PASSAGE in body["messages"][-1]["content"]
    assert server.heads[0].startswith("POST /v1/chat/completions ")
    assert f"bearer {KEY}" in server.heads[0].lower()


async def test_without_a_key_no_credentials_of_the_environment_are_sent(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "from-environment")
    server = await serve(Upstream(script=[sse(delta("Yes [1].", "stop"), DONE)]))
    async with provider(server.base_url, api_key=None) as made:
        await parts_of(made)
    assert "authorization" not in server.heads[0].lower()
    assert "from-environment" not in server.heads[0]


# What the servers send, shortened: OpenAI's first delta has a role and "", llama.cpp's content null; vLLM may repeat
# usage in every chunk; Ollama puts the finish_reason on its own chunk and then usage; Azure opens with no choices.
SERVERS = {
    "openai": [delta(""), delta("24 "), delta("months [1]."), delta(None, "stop"), usage(9, 4), DONE],
    "llama.cpp": [
        delta(None),
        delta("24 months [1]."),
        {"choices": [{"delta": {}, "finish_reason": "stop"}]},
        usage(9, 4),
        DONE,
    ],
    "vllm": [
        delta("24 ") | {"usage": {"prompt_tokens": 9, "completion_tokens": 1}},
        delta("months [1].", "stop") | {"usage": {"prompt_tokens": 9, "completion_tokens": 4}},
        DONE,
    ],
    "ollama": [delta("24 months [1]."), delta("", "stop"), usage(9, 4), DONE],
    "azure": [{"choices": []}, delta("24 months [1].", "stop"), usage(9, 4), DONE],
    "oddities": [
        "5",
        '"text"',
        "[]",
        {},
        {"choices": None},
        {"choices": ["x"]},
        {"choices": [{"delta": None}]},
        delta(["part"]),
        delta("24 months [1].", "stop"),
        {"choices": [], "usage": None},
        usage(9, 4),
        DONE,
    ],
}


@pytest.mark.parametrize("events", SERVERS.values(), ids=SERVERS)
async def test_servers_of_many_kinds(serve: Serve, events: list[object]) -> None:
    parts = await answered(serve, *(sse(event) for event in events))
    assert text_of(parts) == "24 months [1]."
    assert parts[-1] == DraftUsage(Usage(9, 4))
    assert sum(isinstance(part, DraftUsage) for part in parts) == 1


async def test_events_cut_anywhere(serve: Serve) -> None:
    raw = sse(delta("Größe "), delta("24 m² [1].", "stop"), DONE).replace(b"\\u00b2", "²".encode())
    parts = await answered(serve, *(raw[index : index + 1] for index in range(len(raw))))
    assert text_of(parts) == "Größe 24 m² [1]."


async def test_no_usage_at_all(serve: Serve) -> None:
    parts = await answered(serve, sse(delta("Yes [1].", "stop"), DONE))
    assert parts == [DraftText("Yes [1].")]


async def test_usage_with_holes(serve: Serve) -> None:
    parts = await answered(serve, sse(delta("Yes [1].", "stop"), usage(None, 3), DONE))
    assert parts[-1] == DraftUsage(Usage(0, 3))


async def test_a_server_that_does_not_stream(serve: Serve) -> None:
    body = {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes [1]."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 4},
    }
    parts = await answered(serve, json.dumps(body).encode(), content_type="application/json; charset=utf-8")
    assert parts == [DraftText("Yes [1]."), DraftUsage(Usage(9, 4))]


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"error": {"message": "no"}}', b"\xff{", b'{"choices": 3}'])
async def test_nonsense_in_place_of_a_completion(serve: Serve, body: bytes) -> None:
    with pytest.raises(ProviderError):
        await answered(serve, body or b" ", content_type="application/json")


async def test_a_body_without_end_is_cut(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_compatible, "_MAX_BODY_BYTES", 10_000)
    with pytest.raises(ProviderError, match="longer than 10000 bytes"):
        await answered(serve, *[b" " * 4_000] * 4, content_type="application/json")


async def test_a_draft_without_end_is_cut(serve: Serve) -> None:
    server = await serve(Upstream(script=[sse(delta("words "))] * 1_000))
    async with provider(server.base_url, max_chars=100) as made:
        parts = []
        with pytest.raises(ProviderError, match="longer than 100 characters"):
            async for part in made.draft(a_request(PASSAGE)):
                parts.append(part)
    assert len(text_of(parts)) <= 100


@pytest.mark.parametrize("status", ["400 Bad", "401 No", "404 Gone", "429 Slow", "500 Oops", "503 Down", "302 Found"])
async def test_a_refusal_names_class_and_status_and_nothing_of_the_body(serve: Serve, status: str) -> None:
    server = await serve(
        Upstream(
            script=[json.dumps({"error": {"message": f"bad key {KEY} for {PASSAGE}"}}).encode()],
            status=status,
            content_type="application/json",
            extra_headers="Location: http://127.0.0.1:9/v1\r\n",
        )
    )
    async with provider(server.base_url) as made:
        with pytest.raises(ProviderError, match=rf"openai-compatible/tiny: \w+, status {status[:3]}") as caught:
            await parts_of(made)
    # What a log would hold.
    logged = "".join(traceback.format_exception(caught.value))
    assert KEY not in logged
    assert PASSAGE not in logged
    # No retries: one layer of them comes later.
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    "script",
    [
        pytest.param((sse(delta("Half a")),), id="no finish_reason, clean end"),
        pytest.param((sse(delta("Half a"), DONE),), id="no finish_reason, DONE"),
        pytest.param((sse(delta("Half a"), {"error": {"message": f"{KEY} {PASSAGE}"}}),), id="error event"),
        pytest.param((sse(delta("Half a"), '{"choices": [{"del'),), id="broken JSON"),
        pytest.param((sse(delta(None, "stop"), DONE),), id="empty"),
        pytest.param((b"<html>Please log in</html>",), id="not SSE"),
        pytest.param((b": ping\n\n",), id="comments only"),
    ],
)
async def test_half_streams(serve: Serve, script: tuple[bytes, ...]) -> None:
    with pytest.raises(ProviderError) as caught:
        await answered(serve, *script)
    logged = "".join(traceback.format_exception(caught.value))
    assert KEY not in logged
    assert PASSAGE not in logged


async def test_a_connection_that_breaks_off(serve: Serve) -> None:
    with pytest.raises(ProviderError, match="RemoteProtocolError"):
        await answered(serve, sse(delta("Half a", "stop")), complete=False)


async def test_nobody_listens() -> None:
    async with provider("http://127.0.0.1:9/v1") as made:
        with pytest.raises(ProviderError, match="APIConnectionError") as caught:
            await parts_of(made)
    assert not isinstance(caught.value, ProviderTimeout)


@pytest.mark.parametrize("before", [(), (sse(delta("Half a")),)], ids=["before the first piece", "in the middle"])
async def test_a_silent_server_times_out_and_is_hung_up_on(serve: Serve, before: tuple[bytes, ...]) -> None:
    server = await serve(Upstream(script=[*before, 30.0]))
    async with provider(server.base_url, timeout_s=0.2) as made:
        with pytest.raises(ProviderTimeout, match=r"no complete draft within 0\.2 s"):
            await parts_of(made)
        await asyncio.wait_for(server.hung_up.wait(), 2)


async def test_the_deadline_is_for_the_whole_draft_not_for_each_piece(serve: Serve) -> None:
    drip = [step for _ in range(100) for step in (sse(delta("drop ")), 0.05)]
    server = await serve(Upstream(script=drip))
    async with provider(server.base_url, timeout_s=0.3) as made:
        with pytest.raises(ProviderTimeout):
            await parts_of(made)


async def test_the_deadline_never_strikes_in_the_consumers_code(serve: Serve) -> None:
    server = await serve(Upstream(script=[sse(delta("Yes [1].")), 30.0]))
    async with provider(server.base_url, timeout_s=0.2) as made:
        draft = made.draft(a_request(PASSAGE))
        assert await anext(draft) == DraftText("Yes [1].")
        await asyncio.sleep(0.4)  # would be cancelled by a timeout that spans the yield
        with pytest.raises(ProviderTimeout):
            await anext(draft)


async def test_closing_early_hangs_up(serve: Serve) -> None:
    server = await serve(Upstream(script=[sse(delta("Yes [1].")), 30.0]))
    async with provider(server.base_url) as made:
        draft = made.draft(a_request(PASSAGE))
        await anext(draft)
        assert not server.hung_up.is_set()
        await draft.aclose()
        await asyncio.wait_for(server.hung_up.wait(), 2)


async def test_cancelling_the_consumer_hangs_up_and_stays_a_cancellation(serve: Serve) -> None:
    server = await serve(Upstream(script=[sse(delta("Yes [1].")), 30.0]))
    async with provider(server.base_url) as made:
        task = asyncio.create_task(parts_of(made))
        await asyncio.wait_for(server.answering.wait(), 2)
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.hung_up.wait(), 2)


async def test_neither_key_nor_passage_is_logged_at_info(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await answered(serve, sse(delta("Yes [1].", "stop"), DONE))
    assert KEY not in caplog.text
    assert PASSAGE not in caplog.text


async def test_a_key_that_no_header_can_hold_is_not_repeated() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200))
    async with (
        httpx.AsyncClient(transport=transport) as client,
        provider("http://x/v1", api_key=SecretStr("sk-ü-\n"), http_client=client) as made,
    ):
        with pytest.raises(ProviderError) as caught:
            await parts_of(made)
    assert "sk-" not in "".join(traceback.format_exception(caught.value))


async def test_azure_gets_its_key_its_version_and_its_path(serve: Serve) -> None:
    server = await serve(Upstream(script=[sse(delta("Yes [1].", "stop"), DONE)]))
    base_url = server.base_url.replace("/v1", "/openai/deployments/mine")
    manner = Manner({"api-version": "2024-10-21"}, "api-key")
    async with provider(base_url, manner=manner) as made:
        await parts_of(made)
    head = server.heads[0]
    assert head.startswith("POST /openai/deployments/mine/chat/completions?api-version=2024-10-21 ")
    assert f"api-key: {KEY}" in head and "authorization" not in head.lower()


@pytest.mark.parametrize(
    ("status", "header", "kind", "wait"),
    [
        ("429 Too Many", "Retry-After: 7\r\n", ProviderBusy, 7.0),
        ("503 Busy", "Retry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n", ProviderBusy, None),
        ("500 Oops", "", ProviderBusy, None),
        ("401 No", "", ProviderRefused, None),
        ("404 No", "", ProviderRefused, None),
        ("400 Long", "", ProviderRefused, None),
    ],
)
async def test_what_another_try_may_mend_is_told_apart(
    serve: Serve, status: str, header: str, kind: type[ProviderError], wait: float | None
) -> None:
    server = await serve(Upstream(script=[b"{}"], status=status, extra_headers=header, content_type="application/json"))
    async with provider(server.base_url) as made:
        with pytest.raises(kind) as failed:
            await parts_of(made)
    assert getattr(failed.value, "retry_after_s", None) == wait


async def test_a_server_that_goes_on_past_the_bound_of_tokens_is_cut_off(serve: Serve) -> None:
    with pytest.raises(ProviderError, match="longer than 1232 characters"):
        await answered(serve, *[sse(delta("word " * 20))] * 50)
