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
_MISTAKE = r"^\W*(?:(?:no|nope|sorry|actually|wait|not\s+(?:that|this)(?:\s+one)?)\b[\s,.:;–-]*)"
_CORRECTION = re.compile(
    rf"{_MISTAKE}*i\s+(?:meant|mean|was\s+asking\s+(?:about|for))\b[\s,:]*"
    rf"|{_MISTAKE}+(?:(?:it|that)\s+should\s+be|make\s+(?:it|that)|rather)\b[\s,:]*",
    re.IGNORECASE,
)
_NOT_THIS = re.compile(
    r"^\W*no\b[\s,.–-]*not\s+(?P<dropped>[^,;.]+)[,;.–-]+\s*(?:but\s+)?(?P<meant>.+)$", re.IGNORECASE
)
_BUT_NOT = re.compile(r"^(?P<meant>.+?)[,;–-]*\s+(?:and\s+)?not\s+(?P<dropped>[^,;.]+?)\W*$", re.IGNORECASE)
_FEW_WORDS = 1
_REWRITE_TOKENS = 120


@dataclass(frozen=True, slots=True)
class Understood:
    """A question as it is searched, and in words of its own for whoever drafts."""

    query: Query
    question: str


Understand = Callable[[ChatRequest, Budget], Awaitable[Understood]]


async def weigh_history(request: ChatRequest, budget: Budget) -> Understood:
    """Without an LLM: earlier questions count less in the search; a draft is asked a follow-up with its topic.

    A correction is searched as the question that was meant: what was asked before it was a mistake.
    """
    meant = standalone(request.question, request.history)
    if meant != request.question and correction(request.question) is not None:
        return Understood(Query(meant), meant)
    earlier, _ = _as_meant(request.query.earlier)
    return Understood(Query(request.question, earlier), meant)


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


@dataclass(frozen=True, slots=True)
class Correction:
    """What somebody meant instead, and of what they had said the words that they take back."""

    meant: str
    dropped: str = ""


def standalone(question: str, history: Sequence[Message]) -> str:
    """The question as it should be searched: a follow-up carries the last question that stood on its own.

    A question follows up when it opens with a conjunction, points back with a pronoun, or says very little. A
    correction ("no, I meant the Linux one") is that last question with what was meant, less what was taken back.
    """
    earlier, topic = _as_meant([message.content for message in history if message.role == "user"])
    if not earlier:
        return question
    if corrected := correction(question):
        return _with(topic, corrected)
    return f"{topic} {question}" if _follows_up(question) else question


def correction(question: str) -> Correction | None:
    """What is meant instead, where a question corrects the one before it."""
    if found := _NOT_THIS.match(question):
        return Correction(found["meant"].strip(), found["dropped"])
    opener = _CORRECTION.match(question)
    meant = question[opener.end() :].strip() if opener else ""
    if not content_words(meant):
        return None
    if found := _BUT_NOT.match(meant):
        return Correction(found["meant"].strip(), found["dropped"])
    return Correction(meant)


def _as_meant(asked: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Earlier questions with corrections made where they belong, and of them the one that carries the topic."""
    meant: list[str] = []
    topic = None
    for question in asked:
        corrected = correction(question)
        if topic is not None and corrected is not None:
            meant[topic] = _with(meant[topic], corrected)
            continue
        meant.append(question)
        if not _follows_up(question):
            topic = len(meant) - 1
    return tuple(meant), meant[topic if topic is not None else -1] if meant else ""


def _with(topic: str, corrected: Correction) -> str:
    dropped = set(content_words(corrected.dropped))
    kept = [word for word in topic.split() if not dropped.intersection(content_words(word))]
    return " ".join([*kept, corrected.meant])


def _follows_up(question: str) -> bool:
    few = len(content_words(question)) <= _FEW_WORDS
    return few or bool(_OPENERS.search(question) or _POINTERS.search(question))
