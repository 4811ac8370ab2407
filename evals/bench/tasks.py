"""Questions of which it is known whether they can be answered: a folder of the retrieval format, or MTRAG's tasks."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from app.types import ChatRequest, Message
from evals.bench.corpus import corpus_name
from evals.bench.read import DocumentRow, Row, read_retrieval, read_rows
from evals.errors import BenchError

Label = Literal["answerable", "partial", "unanswerable"]


class TaskMessage(Row):
    """An earlier message of a task."""

    role: str
    text: str


class TaskRow(Row):
    """A turn of a conversation. `domain` names the corpus: the folder `retrieval/mtrag_DOMAIN` beside the file's."""

    id: str = Field(min_length=1)
    conversation: str
    domain: str = Field(pattern=r"^[a-z0-9_]+$")
    history: tuple[TaskMessage, ...]
    question: str = Field(pattern=r"\S")
    answerability: Literal["ANSWERABLE", "PARTIAL", "UNANSWERABLE", "CONVERSATIONAL"]
    relevant_passages: tuple[str, ...]
    context_passages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """A question, whether its corpus answers it, and the passages that are given where retrieval is taken for granted.

    These are the ones that answer it; where none does, those that stand nearest. `group` must not straddle halves.
    """

    id: str
    group: str
    request: ChatRequest
    label: Label
    given: tuple[DocumentRow, ...]

    @property
    def fitted(self) -> bool:
        """Whether it belongs to the half on which weights may be fitted; the other half reports."""
        return zlib.crc32(self.group.encode()) % 2 == 0


@dataclass(frozen=True, slots=True)
class Tasks:
    """Questions and, by name of their corpus, the documents they are asked of."""

    tasks: Sequence[Task]
    corpora: Mapping[str, Sequence[DocumentRow]]


def read_tasks(path: Path) -> Tasks:
    """Read a folder whose queries say `answerable` and `passages`, or a file of MTRAG tasks.

    Raises:
        BenchError: It is neither, or a passage that it names is in no corpus.
    """
    return _of_folder(path) if path.is_dir() else _of_file(path)


def _of_folder(path: Path) -> Tasks:
    bench = read_retrieval(path)
    rows = {row.id: row for row in bench.corpus}
    name = corpus_name(path)
    tasks = []
    for query in bench.queries:
        listed = (query.model_extra or {}).get("passages") or list(bench.qrels.get(query.id, {}))
        label: Label = "answerable" if query.answerable else "unanswerable"
        given = _given(listed, rows, f"{path}: query '{query.id}'")
        tasks.append(Task(query.id, query.id, ChatRequest(query.text, corpus=name), label, given))
    return Tasks(tasks, {name: bench.corpus})


def _of_file(path: Path) -> Tasks:
    corpora: dict[str, Sequence[DocumentRow]] = {}
    rows: dict[str, dict[str, DocumentRow]] = {}
    tasks = []
    for number, row in read_rows(path, TaskRow):
        if row.answerability == "CONVERSATIONAL":  # thanks and small talk: nothing is asked
            continue
        folder = path.parent.parent / "retrieval" / f"mtrag_{row.domain}"
        name = corpus_name(folder)
        if name not in corpora:
            corpora[name] = read_retrieval(folder).corpus
            rows[name] = {document.id: document for document in corpora[name]}
        history = tuple(Message("user" if m.role == "user" else "assistant", m.text) for m in row.history)
        given = _given(row.relevant_passages or row.context_passages, rows[name], f"{path}:{number}")
        label: Label = row.answerability.lower()  # type: ignore[assignment]
        tasks.append(Task(row.id, row.conversation, ChatRequest(row.question, history, name), label, given))
    if not tasks:
        raise BenchError(f"{path} holds no tasks.")
    return Tasks(tasks, corpora)


def _given(ids: Sequence[str], rows: Mapping[str, DocumentRow], where: str) -> tuple[DocumentRow, ...]:
    unknown = [name for name in ids if name not in rows]
    if unknown or not ids:
        raise BenchError(f"{where}: names {unknown[0] if unknown else 'no passage'}, which its corpus does not have.")
    return tuple(rows[name] for name in ids)
