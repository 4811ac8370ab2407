"""/v1/conversations: begin one that the service keeps, read it, end it."""

from dataclasses import asdict

from fastapi import APIRouter
from starlette.requests import Request

from app.http.shared import SharedState, owner_of
from app.rendering import Json

router = APIRouter()


@router.post("/v1/conversations", status_code=201)
def begin(request: Request, shared: SharedState) -> Json:
    """Begin a conversation; only the key that began it can go on with it."""
    conversations = shared.serving.conversations
    return {"conversation_id": conversations.begin(owner_of(request)), "days": conversations.settings.conversation_days}


@router.get("/v1/conversations/{conversation_id}")
def read(conversation_id: str, request: Request, shared: SharedState) -> Json:
    """What was said in it, as it is kept: without personal data."""
    said = shared.serving.conversations.messages(conversation_id, owner_of(request))
    rows = [
        {
            "role": stored.message.role,
            "content": stored.message.content,
            "citations": [asdict(span) for span in stored.message.cited],
            "created": stored.created.isoformat(),
        }
        for stored in said
    ]
    return {"conversation_id": conversation_id, "messages": rows}


@router.delete("/v1/conversations/{conversation_id}", status_code=204)
def end(conversation_id: str, request: Request, shared: SharedState) -> None:
    """Remove it."""
    shared.serving.conversations.end(conversation_id, owner_of(request))
