"""Drafts from any server that speaks OpenAI's chat completions: OpenAI, vLLM, Ollama, llama.cpp and others."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import httpx
from pydantic import SecretStr

from app.errors import ProviderBusy, ProviderError, ProviderRefused, ProviderTimeout
from app.llm.counting import counted
from app.llm.port import DraftPart, DraftRequest, DraftText, DraftUsage
from app.llm.prompt import messages
from app.types import Usage

if TYPE_CHECKING:
    from openai import APIStatusError
    from openai.types.chat import ChatCompletionMessageParam

_MAX_CHARS = 40_000
_MAX_BODY_BYTES = 1_000_000
_CHARS_PER_TOKEN = 16
"""More than any language needs: a draft that is longer goes on past its bound of tokens."""
_TRY_LATER = frozenset({408, 409, 425, 429})


@dataclass(frozen=True, slots=True)
class Manner:
    """How a server differs from OpenAI's: Azure wants `?api-version=…` and the key in a header called `api-key`."""

    query: Mapping[str, str] = field(default_factory=dict)
    key_header: str = "Authorization"


OPENAI = Manner()


class OpenAICompatible:
    """A model behind an OpenAI-compatible endpoint.

    Args:
        base_url: The address up to and with the version, such as "http://127.0.0.1:8000/v1".
        model: The model's name on that server.
        api_key: The key, or None for a server that wants none: then no Authorization header is sent.
        timeout_s: The deadline of a whole draft, from the request to its last piece.
        http_client: The client to use in tests.
        max_chars: A draft longer than this is broken off.
        manner: How the server differs from OpenAI's.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: SecretStr | None,
        timeout_s: float,
        http_client: httpx.AsyncClient | None = None,
        max_chars: int = _MAX_CHARS,
        manner: Manner = OPENAI,
    ) -> None:
        from openai import AsyncOpenAI, Omit

        self.name = f"openai-compatible/{model}"
        self._model = model
        self._timeout_s = timeout_s
        self._max_chars = max_chars
        # The client would fill gaps from OPENAI_* variables and send them to whatever base_url names.
        self._headers: dict[str, str | Omit] = {"OpenAI-Organization": Omit(), "OpenAI-Project": Omit()}
        if api_key is None or manner.key_header != "Authorization":
            self._headers["Authorization"] = Omit()
        if api_key is not None and manner.key_header != "Authorization":
            self._headers[manner.key_header] = api_key.get_secret_value()
        self._client = AsyncOpenAI(
            base_url=base_url,
            api_key=api_key.get_secret_value() if api_key else "none",
            timeout=timeout_s,
            max_retries=0,
            default_query=dict(manner.query),
            # A redirect would carry the passages to a host that nobody configured.
            http_client=http_client or httpx.AsyncClient(timeout=timeout_s, follow_redirects=False),
        )
        self._completions = self._client.chat.completions  # imported here: it would hold up the first draft

    @counted
    async def draft(self, request: DraftRequest) -> AsyncGenerator[DraftPart]:
        """Stream the draft; closing the iterator early closes the connection.

        Raises:
            ProviderTimeout: The deadline passed.
            ProviderError: The server refused, broke off or sent nonsense. Its words are left out of the message:
                they may hold the key or the prompt.
        """
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        chars, most = 0, min(self._max_chars, request.max_tokens * _CHARS_PER_TOKEN)
        async with aclosing(self._parts(request)) as parts:
            while True:
                # Around each step, not around the loop: a timeout must never strike in the consumer's code.
                with self._as_provider_errors():
                    async with asyncio.timeout_at(deadline):
                        part = await anext(parts, None)
                if part is None:
                    return
                if isinstance(part, DraftText):
                    chars += len(part.text)
                    if chars > most:
                        raise ProviderError(f"{self.name}: the draft is longer than {most} characters")
                yield part

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _parts(self, request: DraftRequest) -> AsyncGenerator[DraftPart, None]:
        # The raw response: the client would make objects of every event, which takes longer than all else we do.
        asking = self._completions.with_streaming_response.create(
            model=self._model,
            messages=cast("list[ChatCompletionMessageParam]", messages(request)),
            max_tokens=request.max_tokens,
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
            extra_headers=self._headers,
        )
        usage: Usage | None = None
        said = finished = False
        async with asking as response, aclosing(_events(response.http_response)) as events:
            async for event in events:
                choice = _first_choice(event)
                text = _text(choice)
                if text:
                    said = True
                    yield DraftText(text)
                finished = finished or bool(choice.get("finish_reason"))
                usage = _usage(event) or usage
        if not finished:
            raise ProviderError(f"{self.name}: the stream ended without a finish_reason")
        if not said:
            raise ProviderError(f"{self.name}: the draft is empty")
        if usage is not None:
            yield DraftUsage(usage)

    def _refusal(self, error: "APIStatusError") -> ProviderError:
        said = f"{self.name}: {type(error).__name__}, status {error.status_code}"
        if error.status_code >= 500 or error.status_code in _TRY_LATER:
            return ProviderBusy(said, _seconds(error.response.headers.get("retry-after", "")))
        return ProviderRefused(said)

    @contextmanager
    def _as_provider_errors(self) -> Iterator[None]:
        """Translate what the client raises; `from None` keeps its messages out of logged tracebacks too."""
        import openai

        try:
            yield
        except (TimeoutError, openai.APITimeoutError, httpx.TimeoutException):
            raise ProviderTimeout(f"{self.name}: no complete draft within {self._timeout_s:g} s") from None
        except openai.APIStatusError as error:
            raise self._refusal(error) from None
        except (openai.OpenAIError, httpx.HTTPError, httpx.StreamError, ValueError) as error:
            raise ProviderError(f"{self.name}: {type(error).__name__}") from None


async def _events(response: httpx.Response) -> AsyncGenerator[Mapping[str, Any], None]:
    """The server's events as plain mappings: servers differ in what they leave out, so nothing is taken for granted."""
    if response.headers.get("content-type", "").startswith("application/json"):
        yield _mapping(await _whole_body(response))
        return
    async with aclosing(_said(response)) as said:
        async for data in said:
            if data == "[DONE]":
                return
            event = _mapping(data)
            if event.get("error"):
                raise ProviderError("the server broke off with an error")
            yield event


async def _said(response: httpx.Response) -> AsyncGenerator[str, None]:
    """The data of server-sent events; of lines that are no data, nothing is kept."""
    data: list[str] = []
    async with aclosing(_lines(response)) as lines:
        async for line in lines:
            if line.startswith("data:"):
                data.append(line[5:].removeprefix(" "))
            elif not line and data:
                yield "\n".join(data)
                data = []
    if data:
        yield "\n".join(data)


async def _lines(response: httpx.Response) -> AsyncGenerator[str, None]:
    """Lines without their ends, of a bounded length."""
    rest = b""
    async for piece in response.aiter_bytes():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.rstrip(b"\r").decode()
        if len(rest) > _MAX_BODY_BYTES:
            raise ProviderError(f"an event is longer than {_MAX_BODY_BYTES} bytes")
    yield rest.decode()


async def _whole_body(response: httpx.Response) -> str:
    """The answer of a server that does not stream: one completion in place of many chunks."""
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > _MAX_BODY_BYTES:
            raise ProviderError(f"the answer is longer than {_MAX_BODY_BYTES} bytes")
    return body.decode()


def _mapping(text: str) -> Mapping[str, Any]:
    data = json.loads(text)
    return data if isinstance(data, dict) else {}


def _first_choice(event: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = event.get("choices")
    return choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}


def _text(choice: Mapping[str, Any]) -> str:
    """The words of a streamed `delta`, or of the `message` of a server that does not stream."""
    body = choice.get("delta") or choice.get("message")
    content = body.get("content") if isinstance(body, dict) else None
    return content if isinstance(content, str) else ""


def _usage(event: Mapping[str, Any]) -> Usage | None:
    usage = event.get("usage")
    if not isinstance(usage, dict):
        return None
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
    return Usage(prompt if isinstance(prompt, int) else 0, completion if isinstance(completion, int) else 0)


def _seconds(header: str) -> float | None:
    """A Retry-After in seconds; its other form, a date, is not used by these servers."""
    return float(header) if header.isdecimal() and len(header) < 8 else None
