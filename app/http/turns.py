"""A turn of the pipeline over HTTP, ended early when the client hangs up."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

from app.answering import Answers
from app.http.failures import ClientGone
from app.types import ChatRequest, TurnEvent

T = TypeVar("T")


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is cancelled when the client hangs up.

    Raises:
        ClientGone: It did.
    """
    task = asyncio.create_task(work)
    gone = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientGone("The client hung up.")
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def opened(
    request: Request, answers: Answers, asked: ChatRequest
) -> tuple[TurnEvent, AsyncGenerator[TurnEvent, None]]:
    """The first event of a turn and the rest of it: what fails before the first still gets a status of its own.

    Raises:
        CorpusNotFound: Nothing has been ingested into the corpus.
        ClientGone: The client hung up.
    """
    events = answers.events(asked)
    return await unless_gone(request, _next(events)), events


async def _next(events: AsyncIterator[TurnEvent]) -> TurnEvent:
    return await anext(events)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
