"""Drafts from any of LlamaIndex's LLMs. The library takes seconds to import, so that waits for the first draft."""

import asyncio
import importlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from app.errors import ConfigError, ProviderError, ProviderTimeout
from app.llm.counting import counted
from app.llm.port import DraftPart, DraftRequest, DraftText, DraftUsage
from app.llm.prompt import messages
from app.types import Usage

if TYPE_CHECKING:
    from llama_index.core.llms import LLM


class LlamaIndexLLM:
    """One of LlamaIndex's LLMs, with its own settings but for our messages and our deadline.

    Args:
        llm: A `llama_index.core.llms.LLM`; what it writes is streamed where it can stream.
        timeout_s: The deadline of a whole draft.
    """

    def __init__(self, llm: "LLM", timeout_s: float = 60.0) -> None:
        self.name = f"llama-index/{llm.metadata.model_name}"
        self._llm = llm
        self._timeout_s = timeout_s

    @classmethod
    def named(cls, factory: str, timeout_s: float) -> "LlamaIndexLLM":
        """What a function, named as 'package.module:function', makes.

        Raises:
            ConfigError: There is no such function, or it does not make an LLM.
        """
        module, _, name = factory.partition(":")
        try:
            return cls(getattr(importlib.import_module(module), name)(), timeout_s)
        except (ImportError, AttributeError, ValueError, TypeError) as error:
            raise ConfigError(
                f"A llama_index model needs factory: 'package.module:function', which makes one of LlamaIndex's LLMs; "
                f"'{factory}' does not: {type(error).__name__}."
            ) from None

    @counted
    async def draft(self, request: DraftRequest) -> AsyncGenerator[DraftPart]:
        """Stream the draft; closing the iterator early closes LlamaIndex's stream.

        Raises:
            ProviderTimeout: The deadline passed.
            ProviderError: The LLM failed. Its words are left out of the message: they may hold the key or the prompt.
        """
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        async with aclosing(self._parts(request)) as parts:
            while True:
                try:
                    async with asyncio.timeout_at(deadline):
                        part = await anext(parts, None)
                except TimeoutError:
                    raise ProviderTimeout(f"{self.name}: no complete draft within {self._timeout_s:g} s") from None
                except ProviderError:
                    raise
                except Exception as error:  # noqa: BLE001 -- every integration raises errors of its own
                    raise ProviderError(f"{self.name}: {type(error).__name__}") from None
                if part is None:
                    return
                yield part

    async def _parts(self, request: DraftRequest) -> AsyncGenerator[DraftPart]:
        from llama_index.core.llms import ChatMessage

        asked = [ChatMessage(role=message["role"], content=message["content"]) for message in messages(request)]
        usage: Usage | None = None
        said = False
        stream: Any = await self._llm.astream_chat(asked, **self._bound(request))
        try:
            async for answer in stream:
                if answer.delta:
                    said = True
                    yield DraftText(answer.delta)
                usage = _usage(answer.raw) or usage
        finally:
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()
        if not said:
            raise ProviderError(f"{self.name}: the draft is empty")
        if usage is not None:
            yield DraftUsage(usage)

    def _bound(self, request: DraftRequest) -> dict[str, int]:
        # Integrations do not agree on a name; those whose class has this one take it as an argument of a call too.
        return {"max_tokens": request.max_tokens} if hasattr(self._llm, "max_tokens") else {}


def _usage(raw: object) -> Usage | None:
    """Tokens as OpenAI's servers and those like them say it, in whatever the integration passes through."""
    said = raw.get("usage") if isinstance(raw, dict) else getattr(raw, "usage", None)
    found = [
        said.get(name) if isinstance(said, dict) else getattr(said, name, None)
        for name in ("prompt_tokens", "completion_tokens")
    ]
    prompt, completion = (value if isinstance(value, int) else 0 for value in found)
    return Usage(prompt, completion) if prompt or completion else None
