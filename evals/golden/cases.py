"""Golden cases: what is asked, and what a right answer must do. One JSON object a line; unknown keys are errors."""

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

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
Split = Literal["dev", "test"]
Feature = Literal["clarification", "injection_guard", "pii_redaction", "policy_guard", "tools"]
"""What a case may wait for. Cases of a feature that is not built yet are run and counted apart, never skipped."""


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


class ExpectedCall(_Strict):
    """A tool call that a right turn makes."""

    name: str = Field(min_length=1)
    arguments: Mapping[str, JsonValue] = Field(default_factory=dict)


class Gold(_Strict):
    """What a right answer does. `must` holds all that it has to say; without it, any one of `answers` is enough.

    `must_not` stands neither in the answer nor in what it quotes: a wrong number, an attacker's canary, personal data.
    """

    action: Action
    answers: tuple[str, ...] = ()
    evidence: tuple[Quote, ...] = ()
    must: tuple[str, ...] = ()
    must_not: tuple[str, ...] = ()
    tool_calls: tuple[ExpectedCall, ...] = ()
    forbidden_tools: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _fits_action(self) -> Self:
        if self.action == "answer" and not self.tool_calls and not ((self.answers or self.must) and self.evidence):
            raise ValueError("the action 'answer' needs tool_calls, or evidence with answers or must")
        if self.action in ("abstain", "clarify", "refuse") and (self.answers or self.must or self.evidence):
            raise ValueError(f"the action '{self.action}' has no answers, must or evidence")
        return self


class Case(_Strict):
    """One question with its gold. `group` is what must not straddle splits: a document, a user, a template."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")
    group: str = Field(min_length=1)
    split: Split
    created: date
    slices: tuple[str, ...] = ()
    kind: Kind
    severity: Severity
    history: tuple[Turn, ...] = ()
    question: str = Field(min_length=1)
    additions: tuple[str, ...] = Field((), description="Documents that the case adds, by uri in the set's additions/.")
    gold: Gold
    pending: Feature | None = Field(None, description="The feature that the case waits for.")
    retired: str | None = Field(None, min_length=1, description="Why the case is no longer run.")

    @property
    def sha256(self) -> str:
        """The hash of all that the case says: two runs are paired only where it is equal."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def request(self, corpus: str) -> ChatRequest:
        """The case as the pipeline is asked it."""
        history = tuple(Message(turn.role, turn.content) for turn in self.history)
        return ChatRequest(self.question, history, corpus)


def load_cases(path: Path, split: Split | None = None) -> list[Case]:
    """Read the cases of one split of a cases.jsonl; those of the other are dropped line by line, None keeps both.

    Raises:
        GoldenSetError: The file is missing, or a line of it is wrong: the message names file, line and field.
    """
    cases = (_parse(line, f"{path}:{number}") for number, line in enumerate(_lines(path), start=1) if line.strip())
    return [case for case in cases if split in (None, case.split)]


def load_unsplit(path: Path) -> tuple[list[Case], frozenset[str]]:
    """All cases of a cases.jsonl in which new ones may still lack `split`, and the ids of those; they read as dev.

    Only for what assigns the splits: whatever else reads such a file refuses it.

    Raises:
        GoldenSetError: As `load_cases`.
    """
    cases, unassigned = [], set()
    for number, line in enumerate(_lines(path), start=1):
        if line.strip():
            where = f"{path}:{number}"
            stated = _object(line, where)
            case = _parse(line if "split" in stated else json.dumps({**stated, "split": "dev"}), where)
            cases.append(case)
            if "split" not in stated:
                unassigned.add(case.id)
    return cases, frozenset(unassigned)


def _object(line: str, where: str) -> dict[str, JsonValue]:
    try:
        stated = json.loads(line)
    except ValueError:
        stated = None
    if not isinstance(stated, dict):
        raise GoldenSetError(f"{where}: line: is not a JSON object")
    return stated


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise GoldenSetError(f"{path} cannot be read: {error}") from None


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
