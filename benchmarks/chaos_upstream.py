"""A model server on loopback that misbehaves by a seeded plan. Speaks OpenAI's chat completions over plain HTTP/1.1.

    python benchmarks/chaos_upstream.py [--seed 7] [--calm LATENCY_S]

Prints its port. GET /stats says how many calls came, what was done to each, and how many connections are open.
`--calm` answers every call well after that latency, for measuring overhead.
"""

import argparse
import asyncio
import json
import random
import re
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

MANNERS = {
    "well": 50,
    "late": 10,  # the first token takes 0.2 to 1.5 s
    "429": 4,
    "429 with a long rest": 2,
    "500": 4,
    "503": 4,
    "401": 1,
    "half a stream": 6,
    "hangs up at once": 2,
    "stalls at once": 3,
    "stalls midway": 3,
    "slow drip": 4,
    "garbage": 4,
    "no stream": 2,  # one JSON body in place of events
    "over-long": 3,
    "sentence without end": 2,
}
GARBAGE = (b"\xff\xfe\x00", b"data: {not json}\n\n", b"data: []\n\n", b"data: 5\n\n", b"\n\n\n")
_WORDS = re.compile(r"[A-Z][^.\n]{20,200}\.")


class Chaos:
    """Answers calls, each in a manner drawn from the plan."""

    def __init__(self, seed: int, calm_s: float | None) -> None:
        self.random = random.Random(seed)
        self.calm_s = calm_s
        self.calls: Counter[str] = Counter()
        self.open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether the connection lives on."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if head.startswith("GET /stats"):
            said = json.dumps({"calls": self.calls, "open": self.open - 1}).encode()
            writer.write(_head("200 OK", "application/json", f"Content-Length: {len(said)}\r\n") + said)
            await writer.drain()
            return False
        length = re.search(r"content-length: *(\d+)", head, re.IGNORECASE)
        if length is None:  # no call of a model
            return False
        body = json.loads(await reader.readexactly(int(length[1])))
        manner = "well" if self.calm_s is not None else self.random.choices(*zip(*MANNERS.items(), strict=True))[0]
        self.calls[manner] += 1
        # A client that hangs up is noticed at once, whatever is being waited for.
        answer = asyncio.create_task(self._answer(manner, body, writer))
        gone = asyncio.create_task(reader.read(1))
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        alive = not gone.done()
        (gone if alive else answer).cancel()
        done, _ = await asyncio.gather(answer, gone, return_exceptions=True)
        return alive and done is True

    async def _answer(self, manner: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> bool:
        if manner == "hangs up at once":
            return False
        if manner[:3].isdigit():
            rest = "Retry-After: 30\r\n" if "rest" in manner else ""
            error = b'{"error": {"message": "no"}}'
            writer.write(
                _head(f"{manner[:3]} No", "application/json", f"{rest}Content-Length: {len(error)}\r\n") + error
            )
            await writer.drain()
            return True
        await asyncio.sleep(self._latency(manner))
        text = _sentences(body)
        if not body.get("stream") or manner == "no stream":
            whole = json.dumps(_whole(text)).encode()
            writer.write(_head("200 OK", "application/json", f"Content-Length: {len(whole)}\r\n") + whole)
            await writer.drain()
            return True
        writer.write(_head("200 OK", "text/event-stream", "Transfer-Encoding: chunked\r\n"))
        async for data in self._stream(manner, text):
            writer.write(b"%x\r\n%s\r\n" % (len(data), data))
            await writer.drain()
        if manner == "half a stream":
            return False
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    def _latency(self, manner: str) -> float:
        if self.calm_s is not None:
            return self.calm_s
        return self.random.uniform(0.2, 1.5) if manner == "late" else min(0.3, self.random.expovariate(1 / 0.03))

    async def _stream(self, manner: str, text: str) -> AsyncIterator[bytes]:
        if manner == "stalls at once":
            await asyncio.sleep(3600)
        if manner == "garbage":
            for _ in range(20):
                yield self.random.choice(
                    [b"\xff\xfe\x00", b"data: {not json}\n\n", b"data: []\n\n", b"data: 5\n\n", b"\n\n\n"]
                )
            return
        pieces = re.findall(r"\S+\s*", text)
        if manner == "over-long":
            pieces *= 400
        if manner == "sentence without end":
            pieces = ["word "] * 20_000
        for number, piece in enumerate(pieces):
            if manner in ("half a stream", "stalls midway") and number == len(pieces) // 2:
                if manner == "half a stream":
                    return
                await asyncio.sleep(3600)
            if manner == "slow drip":
                await asyncio.sleep(0.2)
            yield _event({"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]})
        yield _event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        yield _event({"choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": len(pieces)}})
        yield b"data: [DONE]\n\n"


def _sentences(body: dict[str, Any]) -> str:
    """Two sentences out of the passages that the prompt quotes: an honest model."""
    found = _WORDS.findall(body["messages"][-1]["content"])
    return " ".join(found[:2]) or "I don't know."


def _whole(text: str) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1000, "completion_tokens": 40, "total_tokens": 1040}
    return {"id": "c", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}


def _event(data: dict[str, Any]) -> bytes:
    common = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m"}
    return f"data: {json.dumps(common | data)}\n\n".encode()


def _head(status: str, kind: str, more: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}\r\n".encode()


async def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seed", type=int, default=7)
    arguments.add_argument("--calm", type=float)
    given = arguments.parse_args()
    server = await asyncio.start_server(Chaos(given.seed, given.calm).serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
