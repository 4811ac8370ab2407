"""POST /v1/feedback: what a person thought of a turn."""

from fastapi import APIRouter

from app.http.schemas import FeedbackBody
from app.http.shared import SharedState

router = APIRouter()


@router.post("/v1/feedback", status_code=204)
def rate(body: FeedbackBody, shared: SharedState) -> None:
    """Keep a rating with a note; the latest one of a turn counts."""
    shared.services.turns.add_feedback(body.turn_id, body.rating, body.note)
