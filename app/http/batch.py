"""POST /v1/batch: many questions in one request, each with a result or a problem of its own."""

import asyncio
from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from app.http.failures import InvalidRequest, problem
from app.http.schemas import BatchBody, BatchItem
from app.http.shared import Shared, SharedState, access_of, payer_of
from app.http.turns import unless_gone
from app.rendering import Json, result_json
from retrieval.types import Scope

router = APIRouter()


@router.post("/v1/batch", response_class=JSONResponse)
async def batch(body: BatchBody, request: Request, shared: SharedState) -> Response:
    """Answer each request, some at a time; the answers come in the order of the requests."""
    most = shared.services.settings.http.max_batch
    if len(body.requests) > most:
        raise InvalidRequest(f"A batch has at most {most} requests. Send more of them, or use: assay batch FILE")
    with shared.batches.slot():
        limit = asyncio.Semaphore(shared.services.settings.http.batch_parallel)

        async def one(said: dict[str, Any]) -> Json:
            async with limit:
                return await _answered(said, request, shared)

        items = await unless_gone(request, _gathered([one(said) for said in body.requests]))
    failed = sum("problem" in item for item in items)
    return JSONResponse({"items": items, "answered": len(items) - failed, "failed": failed})


async def _gathered(work: list[Any]) -> list[Json]:
    """All of it; where one breaks off or the whole is cancelled, the rest is cancelled too."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in work]
    return [task.result() for task in tasks]


async def _answered(said: dict[str, Any], request: Request, shared: Shared) -> Json:
    name = said.get("id") if isinstance(said.get("id"), str) else ""
    settings = shared.services.settings
    try:
        try:
            item = BatchItem.model_validate(said)
        except ValidationError as error:
            raise RequestValidationError(error.errors()) from None
        scope, payer = Scope(access_of(request)), payer_of(request)
        asked = replace(item.request(settings.corpus, settings.chat), scope=scope, payer=payer)
        return {"id": item.id, "result": result_json(await shared.serving.answers.run(asked))}
    except Exception as error:  # noqa: BLE001 -- an item that fails is that item's problem, not the batch's
        return {"id": name, "problem": problem(error, request.scope).body}
