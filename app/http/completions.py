"""POST /v1/chat/completions and GET /v1/models: the same turns for clients of OpenAI's API.

Citations are `url_citation` annotations: start_index and end_index are the claim's place in the answer, in code points,
and our own members name the source characters.
"""

import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import asdict, replace
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from starlette.requests import Request
from starlette.responses import Response

from app.http.events import Event, event, stream, text_event
from app.http.failures import problem
from app.http.schemas import MODEL, CompletionBody
from app.http.shared import SharedState, access_of, payer_of, turn_slot
from app.http.turns import opened, unless_gone
from app.rendering import Json, claim_json
from app.types import ChatResult, Citation, Claim, ClaimVerified, Finished, TurnEvent
from retrieval.types import Scope

router = APIRouter()


@router.get("/v1/models")
def models(shared: SharedState) -> Json:
    """The corpora, as models."""
    default = shared.services.settings.corpus
    others = [corpus for corpus in shared.services.corpora.corpora() if corpus != default]
    named = [(MODEL, default), *((f"{MODEL}/{corpus}", corpus) for corpus in others)]
    data = [{"id": i, "object": "model", "created": 0, "owned_by": "assay", "corpus": corpus} for i, corpus in named]
    return {"object": "list", "data": data}


@router.post("/v1/chat/completions", dependencies=[Depends(turn_slot)], response_class=JSONResponse)
async def complete(body: CompletionBody, request: Request, shared: SharedState) -> Response:
    """Answer the last user message."""
    settings, answers = shared.services.settings, shared.serving.answers
    asked = replace(
        body.request(settings.corpus, settings.chat), scope=Scope(access_of(request)), payer=payer_of(request)
    )
    if body.stream:
        first, rest = await opened(request, answers, asked)
        usage = body.stream_options is not None and body.stream_options.include_usage
        return stream(_Chunks(request, body.model, usage=usage).events(first, rest))
    result = await unless_gone(request, answers.run(asked))
    return JSONResponse(_completion(result, body.model, str(request.base_url)))


def _completion(result: ChatResult, model: str, base_url: str) -> Json:
    annotations = [mark for claim in result.claims for mark in _annotations(claim, base_url)]
    message = {"role": "assistant", "content": result.answer, "refusal": None, "annotations": annotations}
    return {
        "id": f"chatcmpl-{result.turn_id}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": _usage(result),
        "assay": _about(result),
    }


class _Chunks:
    """A turn as chunks: one for each claim, with its annotations in the delta."""

    def __init__(self, request: Request, model: str, *, usage: bool) -> None:
        self._request = request
        self._usage = usage
        self._common = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
        }

    async def events(self, first: TurnEvent, rest: AsyncGenerator[TurnEvent, None]) -> AsyncIterator[Event]:
        """The stream, from the role to `[DONE]`."""
        async with aclosing(rest):
            yield self._chunk({"role": "assistant", "content": ""})
            try:
                async for chunk in self._answer(first, rest):
                    yield chunk
            except Exception as error:  # noqa: BLE001 -- the status is out already, so the stream itself has to say it
                failed = problem(error, self._request.scope).body
                yield event({"error": {"message": f"{failed['title']}. {failed['detail']}", **failed}})
            yield text_event("[DONE]")

    async def _answer(self, first: TurnEvent, events: AsyncIterator[TurnEvent]) -> AsyncIterator[Event]:
        said = 0
        async for found in events:
            if isinstance(found, ClaimVerified):
                space = " " * (found.claim.start - said)
                marks = _annotations(found.claim, str(self._request.base_url))
                yield self._chunk({"content": space + found.claim.text, "annotations": marks})
                said = found.claim.end
            elif isinstance(found, Finished):
                if rest := found.result.answer[said:]:  # what is missing, or what is said in place of an answer
                    yield self._chunk({"content": rest})
                yield self._chunk({}, finish_reason="stop", assay=_about(found.result))
                if self._usage:
                    yield event({**self._common, "choices": [], "usage": _usage(found.result)})

    def _chunk(self, delta: Json, finish_reason: str | None = None, **extra: Any) -> Event:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return event({**self._common, "choices": [choice], **extra})


def _annotations(claim: Claim, base_url: str) -> list[Json]:
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "start_index": claim.start,
                "end_index": claim.end,
                "url": _page_url(citation, base_url),
                **asdict(citation),
            },
        }
        for citation in claim.citations
    ]


def _page_url(citation: Citation, base_url: str) -> str:
    """Where the page shows the source with the cited characters highlighted."""
    place = {"doc": citation.doc_id, "snapshot": citation.snapshot, "start": citation.start, "end": citation.end}
    return f"{base_url}#{urlencode(place)}"


def _usage(result: ChatResult) -> Json:
    prompt, completion = result.usage.prompt_tokens, result.usage.completion_tokens
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _about(result: ChatResult) -> Json:
    """What the protocol has no place for: what the turn did, and its claims as /v1/chat sends them."""
    return {
        "turn_id": result.turn_id,
        "corpus": result.corpus,
        "snapshot": result.snapshot,
        "abstained": result.abstained,
        "action": str(result.action),
        "reason": str(result.reason),
        "confidence": result.confidence,
        "missing": list(result.missing),
        "options": list(result.options),
        "degraded": list(result.degraded),
        "cached": result.cached,
        "cost_usd": result.cost_usd,
        "claims": [claim_json(claim) for claim in result.claims],
    }
