"""POST /v1/chat: a question, answered whole or event by event."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from starlette.requests import Request
from starlette.responses import Response

from app.http.events import Event, event, stream
from app.http.failures import problem
from app.http.schemas import ChatBody
from app.http.shared import SharedState, access_of, owner_of, payer_of, turn_slot
from app.http.turns import opened, unless_gone
from app.rendering import claim_json, passage_json, result_json
from app.types import ClaimVerified, PassagesFound, TurnEvent
from retrieval.types import Scope

router = APIRouter()


@router.post("/v1/chat", dependencies=[Depends(turn_slot)], response_class=JSONResponse)
async def chat(body: ChatBody, request: Request, shared: SharedState) -> Response:
    """Answer a question from a corpus, each claim with the source characters that support it."""
    settings, answers = shared.services.settings, shared.serving.answers
    asked = replace(
        body.request(settings.corpus, settings.chat), scope=Scope(access_of(request)), payer=payer_of(request)
    )
    if body.conversation_id is not None:
        answers = shared.serving.conversations.within(answers, body.conversation_id, owner_of(request))
    if body.stream:
        first, rest = await opened(request, answers, asked)
        return stream(_events(request, first, rest))
    return JSONResponse(result_json(await unless_gone(request, answers.run(asked))))


async def _events(request: Request, first: TurnEvent, rest: AsyncGenerator[TurnEvent, None]) -> AsyncIterator[Event]:
    async with aclosing(rest):
        yield _event(first)
        try:
            async for found in rest:
                yield _event(found)
        except Exception as error:  # noqa: BLE001 -- the status is out already, so the stream itself has to say it
            yield event(problem(error, request.scope).body, "error")


def _event(found: TurnEvent) -> Event:
    if isinstance(found, PassagesFound):
        return event({"passages": [passage_json(passage) for passage in found.passages]}, "passages")
    if isinstance(found, ClaimVerified):
        return event(claim_json(found.claim), "claim")
    return event(result_json(found.result), "final")
