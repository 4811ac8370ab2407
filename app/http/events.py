"""Server-sent events. The only door to sse_starlette."""

import json
from collections.abc import AsyncIterator
from typing import Any

from sse_starlette import EventSourceResponse, ServerSentEvent

Event = ServerSentEvent


def event(data: Any, name: str | None = None) -> Event:
    """An event whose data is JSON."""
    # ASCII: some clients take U+2028 for the end of a line, and would lose the event.
    return ServerSentEvent(json.dumps(data), event=name, sep="\n")


def text_event(data: str) -> Event:
    """An event whose data is a bare word."""
    return ServerSentEvent(data, sep="\n")


def stream(events: AsyncIterator[Event]) -> EventSourceResponse:
    """Send events as they come; the iterator is cancelled when the client hangs up or the service stops."""
    return EventSourceResponse(events, sep="\n")
