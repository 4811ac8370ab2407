"""What the provider tests share: requests, server events, and a real server on the loopback that plays a script."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from app.llm.port import DraftRequest
from retrieval.types import Passage


def a_passage(title: str, text: str) -> Passage:
    return Passage(
        doc_id=f"doc-{title}",
        uri=f"{title}.md",
        title=title,
        snapshot="s1",
        start=0,
        end=len(text),
        text=text,
        page=None,
        section=None,
        score=1.0,
    )


def a_request(*texts: str, question: str = "How long is the warranty?", **fields: Any) -> DraftRequest:
    passages = tuple(a_passage(f"Title {number}", text) for number, text in enumerate(texts, start=1))
    return DraftRequest(question=question, history=(), passages=passages, **fields)


def sse(*events: object) -> bytes:
    """Server-sent events; a string goes out as it is, anything else as JSON."""
    return b"".join(f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n".encode() for event in events)


def delta(content: object, finish_reason: str | None = None) -> dict[str, object]:
    return {
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish_reason}],
    }


def usage(prompt: object, completion: object) -> dict[str, object]:
    return {"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion}}


@dataclass
class Upstream:
    """One answer for every request: bytes are sent as HTTP chunks, numbers are pauses in seconds."""

    script: Iterable[bytes | float] = ()
    status: str = "200 OK"
    content_type: str = "text/event-stream"
    extra_headers: str = ""
    complete: bool = True
    base_url: str = ""
    heads: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(int(line.split(":")[1]) for line in head.lower().splitlines() if "content-length" in line)
            self.heads.append(head)
            self.bodies.append(json.loads(await reader.readexactly(length)))
            writer.write(
                f"HTTP/1.1 {self.status}\r\nContent-Type: {self.content_type}\r\n{self.extra_headers}"
                "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode()
            )
            self.answering.set()
            watch = asyncio.create_task(self._watch(reader))
            for step in self.script:
                if isinstance(step, bytes):
                    writer.write(b"%x\r\n%s\r\n" % (len(step), step))
                    await writer.drain()
                else:
                    await asyncio.sleep(step)
            if self.complete:
                writer.write(b"0\r\n\r\n")
            watch.cancel()
        except ConnectionError:
            self.hung_up.set()
        finally:
            writer.close()

    async def _watch(self, reader: asyncio.StreamReader) -> None:
        if not await reader.read(1):
            self.hung_up.set()
