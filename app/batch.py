"""Many questions from a file: JSON lines in, JSON lines out, as they are answered.

A line of answers is written whole and to the disk before the next one counts, so a run that is killed at any moment
goes on where it was: what is answered is not asked again, half a line is taken back, what failed is tried again.
"""

import asyncio
import fcntl
import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.answering import Answers
from app.errors import AssayError, BatchRefused
from app.files import write_file
from app.rendering import Json, result_json
from app.settings import CORPUS_PATTERN, ChatSettings
from app.types import ChatRequest, Message
from retrieval.errors import RetrievalError
from retrieval.types import OPEN, Scope

MAX_LINE_BYTES = 1_000_000
MAX_LINES = 1_000_000

_log = logging.getLogger(__name__)
Progress = Callable[[str, int, int], None]


class LineMessage(BaseModel):
    """One earlier message."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["user", "assistant"]
    content: str


class Line(BaseModel):
    """One question of the file."""

    model_config = ConfigDict(extra="forbid")

    id: str | None = Field(None, min_length=1, max_length=200)
    question: str = Field(pattern=r"\S")
    history: list[LineMessage] = []
    corpus: str | None = Field(None, pattern=CORPUS_PATTERN)


@dataclass(frozen=True, slots=True)
class Item:
    """A line with its id ("line 7" where it names none) and a hash; `line` is None where it cannot be read."""

    id: str
    asked: str
    line: Line | None
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """What is asked of a file, and as whom."""

    questions: Path
    out: Path
    corpus: str
    bounds: ChatSettings
    scope: Scope = OPEN
    parallel: int = 4


@dataclass(slots=True)
class Summary:
    """What came of it; `skipped` were answered by an earlier run."""

    questions: int = 0
    answered: int = 0
    abstained: int = 0
    cached: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0


async def run_batch(answers: Answers, batch: Batch, progress: Progress) -> Summary:
    """Answer what is not answered yet.

    Raises:
        BatchRefused: The questions cannot be read, two have one id, or the output is another file's or in use.
    """
    asked, began = _asked(batch.questions), time.perf_counter()
    with _output(batch.out) as out:
        known = _known(batch.out, out)
        if other := next((name for name, was in known.items() if asked.get(name, was) != was), None):
            raise BatchRefused(f"The output holds an answer to another question under the id '{other}'. Choose --out.")
        summary = Summary(questions=len(asked), skipped=len(known.keys() & asked.keys()))
        todo = (item for item in _items(batch.questions) if item.id not in known)
        writing = asyncio.Lock()
        progress("answer", summary.skipped, summary.questions)

        async def work() -> None:
            for item in todo:  # one iterator for all workers: each item goes to one of them
                row = await _row(answers, batch, item)
                async with writing:
                    await asyncio.to_thread(_append, out, row)
                    _count(summary, row)
                    done = summary.answered + summary.failed + summary.skipped
                    progress("answer", done, summary.questions)

        async with asyncio.TaskGroup() as group:
            for _ in range(batch.parallel):
                group.create_task(work())
    summary.seconds = round(time.perf_counter() - began, 3)
    return summary


async def _row(answers: Answers, batch: Batch, item: Item) -> Json:
    row: Json = {"id": item.id, "asked": item.asked}
    if item.line is None:
        return {**row, "problem": {"kind": "InvalidRequest", "detail": item.wrong}}
    try:
        return {**row, "result": result_json(await answers.run(_request(item.line, batch)))}
    except (AssayError, RetrievalError) as error:
        return {**row, "problem": {"kind": type(error).__name__, "detail": str(error)}}
    except Exception as error:  # noqa: BLE001 -- one question must not end the others
        _log.error("the question '%s' failed", item.id, exc_info=error)
        return {**row, "problem": {"kind": type(error).__name__, "detail": "Something went wrong. The log says what."}}


def _request(line: Line, batch: Batch) -> ChatRequest:
    bounds, history = batch.bounds, tuple(Message(message.role, message.content) for message in line.history)
    if len(line.question) > bounds.max_question_chars:
        raise BatchRefused(f"The question has more than {bounds.max_question_chars:,} characters.")
    if len(history) > bounds.max_history_messages or sum(len(m.content) for m in history) > bounds.max_history_chars:
        raise BatchRefused("The history is over chat.max_history_messages or chat.max_history_chars.")
    return ChatRequest(line.question.strip(), history, line.corpus or batch.corpus, batch.scope)


def _count(summary: Summary, row: Json) -> None:
    result = row.get("result")
    if result is None:
        summary.failed += 1
        return
    summary.answered += 1
    summary.abstained += bool(result["abstained"])
    summary.cached += bool(result["cached"])


def _asked(questions: Path) -> dict[str, str]:
    """The hashes of all questions by their ids.

    Raises:
        BatchRefused: Two have the same.
    """
    asked: dict[str, str] = {}
    for item in _items(questions):
        if item.id in asked:
            raise BatchRefused(f"{questions}: two questions have the id '{item.id}'.")
        asked[item.id] = item.asked
    return asked


def _items(questions: Path) -> Iterator[Item]:
    try:
        with questions.open("rb") as file:
            for number, raw in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES + 1), b""), start=1):
                if number > MAX_LINES or len(raw) > MAX_LINE_BYTES:
                    raise BatchRefused(
                        f"{questions}, line {number}: at most {MAX_LINES:,} lines of {MAX_LINE_BYTES:,} bytes are read."
                    )
                if raw.strip():
                    yield _item(raw, number)
    except OSError as error:
        raise BatchRefused(f"{questions} cannot be read: {error.strerror}.") from None


def _item(raw: bytes, number: int) -> Item:
    asked = hashlib.sha256(raw.strip()).hexdigest()[:16]
    try:
        line = Line.model_validate_json(raw)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, wrong["loc"]))
        return Item(f"line {number}", asked, None, f"line {number}: {f'{where}: ' if where else ''}{wrong['msg']}")
    return Item(line.id or f"line {number}", asked, line)


@contextmanager
def _output(path: Path) -> Iterator[int]:
    """The output, open for this run alone."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise BatchRefused(f"{path} cannot be written: {error.strerror}.") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise BatchRefused(f"Another run writes to {path}.") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _known(path: Path, out: int) -> dict[str, str]:
    """The ids of what is answered, with the hashes of what was asked; what failed, and half a line, is taken back."""
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    known: dict[str, str] = {}
    kept: list[bytes] = []
    for number, raw in enumerate(whole.splitlines(keepends=True), start=1):
        try:
            row: dict[str, Any] = json.loads(raw)
            if "result" in row:
                known[row["id"]] = row["asked"]
                kept.append(raw)
        except (ValueError, KeyError, TypeError):
            raise BatchRefused(f"{path}, line {number} is not an answer of a batch. Choose another --out.") from None
    if b"".join(kept) != data:
        _rewrite(path, out, b"".join(kept))
    return known


def _rewrite(path: Path, out: int, data: bytes) -> None:
    """Shorten the file in place where only its end goes, as after a crash; else by a copy of it in its place."""
    if path.read_bytes()[: len(data)] == data:
        os.ftruncate(out, len(data))
        os.fsync(out)
        return
    write_file(path, data, mode=0o600)
    fresh = os.open(path, os.O_RDWR | os.O_APPEND)
    fcntl.flock(fresh, fcntl.LOCK_EX)
    os.dup2(fresh, out)  # the lock goes with the description, and the old file with its last descriptor
    os.close(fresh)


def _append(out: int, row: Json) -> None:
    data = json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
    while data:
        data = data[os.write(out, data) :]
    os.fsync(out)
