"""LlamaIndex's LLMs behind our port."""

import asyncio
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any

import pytest

from app.errors import ConfigError, ProviderError, ProviderTimeout
from app.llm.llama_index import LlamaIndexLLM
from app.llm.port import DraftText, DraftUsage
from app.types import Usage

from .upstream import a_request

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # LlamaIndex's own


class Fake:
    """What the adapter needs of an LLM."""

    metadata = SimpleNamespace(model_name="fake")
    max_tokens = 256

    def __init__(self, *steps: Any) -> None:
        self.steps = steps
        self.asked: Any = None
        self.bound: dict[str, int] = {}
        self.closed = False

    async def astream_chat(self, messages: Any, **bound: int) -> AsyncGenerator[Any, None]:
        self.asked, self.bound = messages, bound
        return self._stream()

    async def _stream(self) -> AsyncGenerator[Any, None]:
        try:
            for step in self.steps:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, float):
                    await asyncio.sleep(step)
                else:
                    yield step
        finally:
            self.closed = True


def piece(delta: str, raw: object = None) -> SimpleNamespace:
    return SimpleNamespace(delta=delta, raw=raw)


async def drain(llm: Any, timeout_s: float = 5.0) -> tuple[list[Any], Any]:
    request = a_request("The warranty lasts 24 months.", max_tokens=77)
    return [part async for part in LlamaIndexLLM(llm, timeout_s).draft(request)], request.budget


async def test_messages_go_out_and_pieces_come_back() -> None:
    fake = Fake(piece("24 "), piece(""), piece("months.", {"usage": {"prompt_tokens": 9, "completion_tokens": 3}}))
    parts, budget = await drain(fake)
    assert parts == [DraftText("24 "), DraftText("months."), DraftUsage(Usage(9, 3))]
    assert [str(message.role.value) for message in fake.asked] == ["system", "user"]
    assert "24 months" in fake.asked[1].content and fake.bound == {"max_tokens": 77}
    assert budget.usage_by_provider() == {"llama-index/fake": Usage(9, 3)}


async def test_usage_may_be_an_object_or_missing() -> None:
    told = SimpleNamespace(usage=SimpleNamespace(prompt_tokens=4, completion_tokens=1))
    assert (await drain(Fake(piece("yes", told))))[1].usage() == Usage(4, 1)
    _, budget = await drain(Fake(piece("yes")))
    assert budget.calls[0].estimated and budget.usage().completion_tokens == 1


@pytest.mark.parametrize("steps", [(RuntimeError("key sk-123"),), (piece("half"), ValueError("sk-123")), ()])
async def test_what_it_raises_is_ours_and_tells_nothing(steps: tuple[Any, ...]) -> None:
    with pytest.raises(ProviderError) as failed:
        await drain(Fake(*steps))
    assert "sk-123" not in str(failed.value)


async def test_the_deadline_holds_and_the_stream_is_closed() -> None:
    fake = Fake(piece("half"), 5.0)
    with pytest.raises(ProviderTimeout):
        await drain(fake, timeout_s=0.05)
    assert fake.closed


@pytest.mark.parametrize("factory", ["", "no.such:thing", "json:nothing", "json:dumps"])
def test_a_factory_that_makes_none_is_named(factory: str) -> None:
    with pytest.raises(ConfigError, match="factory"):
        LlamaIndexLLM.named(factory, 5)


async def test_a_real_llm_of_llamaindex() -> None:
    provider = LlamaIndexLLM.named("llama_index.core.llms:MockLLM", 20)
    parts = [part async for part in provider.draft(a_request("The warranty lasts 24 months."))]
    assert "The warranty lasts 24 months." in "".join(part.text for part in parts if isinstance(part, DraftText))
