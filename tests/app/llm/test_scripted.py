import itertools
import time

import pytest

from app.errors import ProviderError, ProviderTimeout
from app.llm.port import DraftText, DraftUsage
from app.llm.scripted import ScriptedProvider
from app.types import Usage

from .upstream import a_request


async def said(provider: ScriptedProvider, question: str = "Q") -> str:
    parts = provider.draft(a_request("text", question=question))
    return "".join([part.text async for part in parts if isinstance(part, DraftText)])


async def test_queue_in_history_out() -> None:
    provider = ScriptedProvider(["one", "two"])
    assert [await said(provider, "first"), await said(provider, "second")] == ["one", "two"]
    assert [request.question for request in provider.history] == ["first", "second"]


async def test_an_exception_is_raised_when_its_turn_comes_and_the_script_goes_on() -> None:
    provider = ScriptedProvider(["one", ProviderTimeout("late"), "three"])
    assert await said(provider) == "one"
    with pytest.raises(ProviderTimeout, match="late"):
        await said(provider)
    assert await said(provider) == "three"


async def test_an_empty_queue_is_an_error_and_the_request_is_recorded_all_the_same() -> None:
    provider = ScriptedProvider(["only"])
    await said(provider)
    with pytest.raises(ProviderError, match="ended before draft 2"):
        await said(provider)
    assert len(provider.history) == 2


async def test_an_endless_script_is_read_one_at_a_time() -> None:
    provider = ScriptedProvider(itertools.repeat("again"))
    assert [await said(provider) for _ in range(3)] == ["again"] * 3


async def test_pieces_delay_and_usage() -> None:
    provider = ScriptedProvider(["abcdefg"], piece_chars=3, delay_s=0.01, usage=Usage(5, 2))
    start = time.perf_counter()
    parts = [part async for part in provider.draft(a_request("text"))]
    assert parts == [DraftText("abc"), DraftText("def"), DraftText("g"), DraftUsage(Usage(5, 2))]
    assert time.perf_counter() - start >= 0.03


async def test_without_usage() -> None:
    parts = [part async for part in ScriptedProvider(["a"], usage=None).draft(a_request("text"))]
    assert parts == [DraftText("a")]


async def test_nothing_happens_before_the_stream_is_read() -> None:
    provider = ScriptedProvider(["one"])
    provider.draft(a_request("text"))
    assert provider.history == []
