"""Counts calls of models, and what they used where the provider does not say or the draft broke off."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import wraps
from typing import TypeVar

from app.budget import Call
from app.errors import ProviderError, ProviderTimeout
from app.llm.port import DraftPart, DraftRequest, DraftText, Provider
from app.llm.prompt import messages, prompt_tokens
from app.tokens import count_tokens
from app.types import Usage

Named = TypeVar("Named", bound=Provider)
Draft = Callable[[Named, DraftRequest], AsyncGenerator[DraftPart]]


def counted(draft: Draft[Named]) -> Draft[Named]:
    """Of a provider's `draft` method: each call is counted in the request's budget, and charged what it used.

    A draft that was cut off, or whose provider does not say what it used, is charged an estimate: the prompt, and what
    came of the draft. A call that was refused before it said anything is charged nothing.
    """

    @wraps(draft)
    async def counting(self: Named, request: DraftRequest) -> AsyncGenerator[DraftPart]:
        call, said = request.budget.begin(self.name), ""
        billed = True
        try:
            async with aclosing(draft(self, request)) as parts:
                async for part in parts:
                    if isinstance(part, DraftText):
                        said += part.text
                    else:
                        call.usage, call.estimated = part.usage, False
                        billed = False
                    yield part
        except ProviderError as error:
            billed = billed and (bool(said) or isinstance(error, ProviderTimeout))
            raise
        finally:
            if billed:
                _estimate(call, request, said)

    return counting


def prompt_usage(request: DraftRequest) -> Usage:
    """The most that a draft can use: the tokens of its prompt, and its bound."""
    return Usage(_prompt_tokens(request), request.max_tokens)


def _estimate(call: Call, request: DraftRequest, said: str) -> None:
    call.usage, call.estimated = Usage(_prompt_tokens(request), count_tokens(said)), True


def _prompt_tokens(request: DraftRequest) -> int:
    return prompt_tokens(messages(request))
