"""POST /v1/feedback: what a person thought of a turn."""

from fastapi import APIRouter
from starlette.requests import Request

from app.http.schemas import FeedbackBody
from app.http.shared import SharedState, access_of

router = APIRouter()


@router.post("/v1/feedback", status_code=204)
def rate(body: FeedbackBody, request: Request, shared: SharedState) -> None:
    """Keep a rating with a note; the latest one of a turn counts. What is rated down is not given again."""
    shared.services.turns.add_feedback(body.turn_id, body.rating, body.note, access_of(request).tenant)
    if body.rating == "down":
        shared.serving.rated_down(body.turn_id)
