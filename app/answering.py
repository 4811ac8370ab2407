"""What the doors ask: the pipeline, or something around it with the same two ways of asking."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

from app.types import ChatRequest, ChatResult, Finished, TurnEvent


class Answers(Protocol):
    """Answers requests: event by event, or whole."""

    def events(self, request: ChatRequest) -> AsyncGenerator[TurnEvent]:
        """One turn: `PassagesFound`, then a `ClaimVerified` for each claim, then `Finished`.

        Raises:
            CorpusNotFound: Nothing has been ingested into the corpus.
        """
        ...

    async def run(self, request: ChatRequest) -> ChatResult:
        """The result of one turn.

        Raises:
            CorpusNotFound: Nothing has been ingested into the corpus.
        """
        ...


async def finished(turn: AsyncGenerator[TurnEvent]) -> ChatResult:
    """Drain a turn and return its result."""
    async with aclosing(turn) as events:
        async for event in events:
            if isinstance(event, Finished):
                return event.result
    raise AssertionError("a turn ends with Finished")
