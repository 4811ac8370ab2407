"""GET /v1/turns/{turn_id}/lineage: what exactly answered a turn, for who asked it."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request

from app.errors import TurnNotFound
from app.http.shared import SharedState, access_of
from app.lineage import lineage_of
from app.rendering import asker_lineage_json

router = APIRouter()


@router.get("/v1/turns/{turn_id}/lineage")
def lineage(turn_id: str, request: Request, shared: SharedState) -> dict[str, Any]:
    """Release, snapshot, documents, transforms and quotes of a turn of the same tenant.

    The turn's groups must all be the caller's: it quotes what they may see.
    """
    services, access = shared.services, access_of(request)
    turn = services.turns.recorded(turn_id)
    asked = turn.scope.access
    if asked.tenant != access.tenant or not asked.groups <= access.groups:
        raise TurnNotFound(f"No turn '{turn_id}' is known.")
    return asker_lineage_json(lineage_of(turn, services.snapshots))
