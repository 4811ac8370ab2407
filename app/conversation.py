"""What a question means on its own, given the turns before it."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from app.budget import Budget
from app.errors import ProviderError
from app.llm.port import DraftRequest, DraftText, Provider
from app.llm.prompt import STANDALONE_QUESTION
from app.types import ChatRequest, Message
from retrieval.types import Query
from retrieval.words import content_words

_log = logging.getLogger(__name__)

_OPENERS = re.compile(r"^\s*(and|but|so|or|also|then|what about|how about|why( not)?\s*\?|what if)\b", re.IGNORECASE)
_POINTERS = re.compile(
    r"\b(it|its|that|this|these|those|they|them|their|he|she|one|there|same|instead)\b", re.IGNORECASE
)
_FEW_WORDS = 1
_REWRITE_TOKENS = 120


@dataclass(frozen=True, slots=True)
class Understood:
    """A question as it is searched, and in words of its own for whoever drafts."""

    query: Query
    question: str


Understand = Callable[[ChatRequest, Budget], Awaitable[Understood]]


async def weigh_history(request: ChatRequest, budget: Budget) -> Understood:
    """Without an LLM: earlier questions count less in the search; a draft is asked a follow-up with its topic."""
    return Understood(request.query, standalone(request.question, request.history))


@dataclass(frozen=True, slots=True)
class RewriteByModel:
    """A model writes follow-ups anew. What it says is a question and nothing more: it is only searched and answered."""

    provider: Provider
    timeout_s: float
    max_chars: int

    async def understand(self, request: ChatRequest, budget: Budget) -> Understood:
        """The rewritten question; what `weigh_history` says where there is no history, or no usable rewrite in time."""
        if not request.history:
            return await weigh_history(request, budget)
        try:
            async with asyncio.timeout(min(self.timeout_s, budget.model_s())):
                rewritten = await self._rewritten(request, budget)
        except (ProviderError, TimeoutError) as error:
            _log.warning("the question is not rewritten: %s: %s", self.provider.name, error or "out of time")
            return await weigh_history(request, budget)
        if not content_words(rewritten) or len(rewritten) > self.max_chars:
            return await weigh_history(request, budget)
        return Understood(Query(rewritten), rewritten)

    async def _rewritten(self, request: ChatRequest, budget: Budget) -> str:
        asked = DraftRequest(
            request.question, request.history, (), _REWRITE_TOKENS, prompt=STANDALONE_QUESTION, budget=budget
        )
        async with aclosing(self.provider.draft(asked)) as parts:
            text = "".join([part.text async for part in parts if isinstance(part, DraftText)])
        line = next((line for line in text.splitlines() if line.strip()), "")
        return line.strip().strip("\"'“”")


def standalone(question: str, history: Sequence[Message]) -> str:
    """The question as it should be searched: a follow-up carries the last question that stood on its own.

    A question follows up when it opens with a conjunction, points back with a pronoun, or says very little.
    """
    asked = [message.content for message in history if message.role == "user"]
    if not asked or not _follows_up(question):
        return question
    topic = next((earlier for earlier in reversed(asked) if not _follows_up(earlier)), asked[-1])
    return f"{topic} {question}"


def _follows_up(question: str) -> bool:
    few = len(content_words(question)) <= _FEW_WORDS
    return few or bool(_OPENERS.search(question) or _POINTERS.search(question))
