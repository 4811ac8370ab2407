"""Conversations that the service keeps, where a setting says so: redacted, encrypted, expiring."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from app.answering import Answers, finished
from app.basis import cited_of
from app.errors import ConversationsOff
from app.privacy import redacted
from app.settings import ChatSettings
from app.store.conversations import ConversationStore, Owner, StoredMessage
from app.types import ChatRequest, ChatResult, Finished, Message, TurnEvent
from guardrails.checks.pii import PiiPatterns
from guardrails.errors import GuardError

_log = logging.getLogger(__name__)

MAX_CITED = 50
"""Places that are kept with an answer."""


@dataclass(frozen=True, slots=True)
class Conversations:
    """Begins, continues and ends conversations of an owner."""

    store: ConversationStore
    patterns: PiiPatterns
    settings: ChatSettings

    def begin(self, owner: Owner) -> str:
        """Begin a conversation and return its id.

        Raises:
            ConversationsOff: None are kept here.
        """
        self._on()
        return self.store.create(owner)

    def messages(self, name: str, owner: Owner) -> list[StoredMessage]:
        """What was said in a conversation, oldest first.

        Raises:
            ConversationsOff: None are kept here.
            ConversationNotFound: The owner has none of this id, or it has expired.
        """
        self._on()
        return self.store.messages(name, owner, datetime.now(UTC) - self.lasting)

    def end(self, name: str, owner: Owner) -> None:
        """Remove a conversation.

        Raises:
            ConversationNotFound: The owner has none of this id.
        """
        self.store.delete(name, owner)

    @property
    def lasting(self) -> timedelta:
        """How long a conversation is kept after its last message."""
        return timedelta(days=self.settings.conversation_days)

    def within(self, inner: Answers, name: str, owner: Owner) -> Answers:
        """`inner`, asked in a conversation: with what was said before; question and answer are kept."""
        return _Within(self, inner, name, owner)

    def keep(self, name: str, owner: Owner, result: ChatResult) -> None:
        """Keep a question with its answer, without the personal data in them; neither if it cannot be looked for."""
        try:
            asked, answer = redacted(result.question, self.patterns), redacted(result.answer, self.patterns)
        except GuardError as error:
            _log.warning("a turn is missing from its conversation: %s", error)
            return
        said = Message("user", asked), Message("assistant", answer, cited_of(result)[:MAX_CITED])
        self.store.append(name, owner, said, max(2, self.settings.max_history_messages))

    def _on(self) -> None:
        if not self.settings.keep_conversations:
            raise ConversationsOff(
                "Conversations are not kept here: send the history with each question, or set chat.keep_conversations."
            )


@dataclass(frozen=True, slots=True)
class _Within:
    conversations: Conversations
    inner: Answers
    name: str
    owner: Owner

    async def events(self, request: ChatRequest) -> AsyncGenerator[TurnEvent]:
        said = await asyncio.to_thread(self.conversations.messages, self.name, self.owner)
        request = replace(request, history=_messages(said))
        async with aclosing(self.inner.events(request)) as events:
            async for event in events:
                if isinstance(event, Finished):
                    kept = replace(event.result, question=request.question)
                    await asyncio.to_thread(self.conversations.keep, self.name, self.owner, kept)
                yield event

    async def run(self, request: ChatRequest) -> ChatResult:
        return await finished(self.events(request))


def _messages(said: Iterable[StoredMessage]) -> tuple[Message, ...]:
    return tuple(stored.message for stored in said)
