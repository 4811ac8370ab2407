"""The same question asked again while it is being answered: one turn, whose events go to everybody who asked."""

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from typing import Any

from app.answering import Answers, finished
from app.types import ChatRequest, ChatResult, Finished, TurnEvent


@dataclass(slots=True)
class _Turn:
    """A turn under way: what has come of it, and how many are listening."""

    events: list[TurnEvent] = field(default_factory=list)
    listeners: int = 0
    over: bool = False
    error: BaseException | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    def tell(self) -> None:
        """Wake all who wait; who comes back waits for the next news."""
        self.news.set()
        self.news = asyncio.Event()


class Coalesced:
    """Answers through `inner`, once for all who ask the same at the same time.

    Requests are the same when everything in them is, the scope too, and the same snapshot serves. One who leaves takes
    nothing from the others; when the last one leaves, the turn is cancelled.
    """

    def __init__(self, inner: Answers, serving: Callable[[str], str]) -> None:
        """`serving` gives the id of the snapshot that serves a corpus, and may raise CorpusNotFound."""
        self._inner = inner
        self._serving = serving
        self._turns: dict[str, _Turn] = {}

    @property
    def in_flight(self) -> int:
        """Turns under way upstream."""
        return len(self._turns)

    async def events(self, request: ChatRequest) -> AsyncGenerator[TurnEvent]:
        """The events of the turn, from the first one on, also for those who come later."""
        pinned = request.scope.snapshot
        snapshot = pinned if pinned is not None else await asyncio.to_thread(self._serving, request.corpus)
        turn = self._joined(same(request, snapshot), request)
        turn.listeners += 1
        try:
            read = 0
            while True:
                news = turn.news
                while read < len(turn.events):
                    yield turn.events[read]
                    read += 1
                if turn.error is not None:
                    raise turn.error
                if turn.over:
                    return
                await news.wait()
        finally:
            turn.listeners -= 1
            if not turn.listeners and not turn.over and turn.task is not None:
                turn.task.cancel()
                # Not gather: cancelled while it waits, it would cancel the turn again, in the midst of its closing.
                await asyncio.wait({turn.task})

    async def run(self, request: ChatRequest) -> ChatResult:
        """The result of the turn."""
        return await finished(self.events(request))

    def _joined(self, key: str, request: ChatRequest) -> _Turn:
        turn = self._turns.get(key)
        if turn is None or (turn.task is not None and turn.task.cancelling()):
            turn = self._turns[key] = _Turn()
            turn.task = asyncio.create_task(self._drive(turn, key, request))
        return turn

    async def _drive(self, turn: _Turn, key: str, request: ChatRequest) -> None:
        try:
            async with aclosing(self._inner.events(request)) as events:
                async for event in events:
                    turn.events.append(event)
                    if isinstance(event, Finished):
                        self._end(turn, key)
                    turn.tell()
        except Exception as error:  # noqa: BLE001 -- it is everybody's who listens, and raised there
            turn.error = error
        except BaseException as error:
            turn.error = error
            raise
        finally:
            self._end(turn, key)
            turn.tell()

    def _end(self, turn: _Turn, key: str) -> None:
        """From here on the same question is a new turn."""
        turn.over = True
        if self._turns.get(key) is turn:
            del self._turns[key]


def same(request: ChatRequest, snapshot: str) -> str:
    """Equal for requests that get the same answer: a hash of all that is in them, and of what serves."""
    said = json.dumps([asdict(request), snapshot], sort_keys=True, default=_plain)
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset | set) else repr(value)
