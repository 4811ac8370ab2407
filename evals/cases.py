"""Golden cases: what is asked, and what a right answer must do. One JSON object a line; unknown keys are errors."""

import hashlib
from datetime import date
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.types import ChatRequest, Message
from evals.errors import GoldenSetError

Kind = Literal[
    "answerable",
    "unanswerable",
    "underspecified",
    "multi_turn",
    "tool",
    "injection_direct",
    "injection_indirect",
    "jailbreak",
    "exfiltration",
    "pii",
    "policy",
]
Severity = Literal["critical", "major", "minor"]
Action = Literal["answer", "abstain", "clarify", "refuse", "redact"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Turn(_Strict):
    """An earlier message of the conversation."""

    role: Literal["user", "assistant"]
    content: str = Field(min_length=1)


class Quote(_Strict):
    """Characters of a document that hold a part of the right answer."""

    uri: str = Field(min_length=1)
    quote: str = Field(pattern=r"\S")


class Gold(_Strict):
    """What a right answer does. `must` holds all that it has to say; without it, any one of `answers` is enough."""

    action: Action
    answers: tuple[str, ...] = ()
    evidence: tuple[Quote, ...] = ()
    must: tuple[str, ...] = ()
    must_not: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _fits_action(self) -> Self:
        if self.action == "answer" and not ((self.answers or self.must) and self.evidence):
            raise ValueError("the action 'answer' needs evidence, and answers or must")
        if self.action == "abstain" and (self.answers or self.must or self.evidence):
            raise ValueError("the action 'abstain' has no answers, must or evidence")
        return self


class Case(_Strict):
    """One question with its gold. `group` is what must not straddle splits: a document, a user, a template."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")
    group: str = Field(min_length=1)
    split: Literal["dev", "test"]
    created: date
    slices: tuple[str, ...] = ()
    kind: Kind
    severity: Severity
    history: tuple[Turn, ...] = ()
    question: str = Field(min_length=1)
    gold: Gold

    def request(self, corpus: str) -> ChatRequest:
        """The case as the pipeline is asked it."""
        history = tuple(Message(turn.role, turn.content) for turn in self.history)
        return ChatRequest(self.question, history, corpus)


def load_cases(path: Path) -> list[Case]:
    """Read a cases.jsonl.

    Raises:
        GoldenSetError: The file is missing, or a line of it is wrong: the message names file, line and field.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise GoldenSetError(f"{path} cannot be read: {error}") from None
    return [_parse(line, f"{path}:{number}") for number, line in enumerate(lines, start=1) if line.strip()]


def _parse(line: str, where: str) -> Case:
    try:
        return Case.model_validate_json(line)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'line'}: {item['msg']}" for item in error.errors(include_url=False)
        )
        raise GoldenSetError(f"{where}: {wrong}") from None


def cases_hash(path: Path) -> str:
    """The sha256 of a cases.jsonl, as its card states it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
