"""The port behind which every provider of drafts stands."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Protocol

from app.budget import Budget
from app.reading import Reading
from app.types import Message, Usage
from retrieval.types import Passage


@dataclass(frozen=True, slots=True)
class DraftRequest:
    """What a provider may draw on: a standalone question, the conversation, the passages, a bound on its words.

    `prompt` names one of `app.llm.prompt.PROMPTS`; `prompt_tokens` bounds all its messages together, None does not.
    `budget` is the turn's: what time and money are left, and where calls are counted. `reading` is that of the
    passages where they were read already.
    """

    question: str
    history: tuple[Message, ...]
    passages: tuple[Passage, ...]
    max_tokens: int = 400
    prompt: str = "grounded_answer"
    prompt_tokens: int | None = None
    budget: Budget = field(default_factory=Budget, compare=False, repr=False)
    reading: Reading | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class DraftText:
    """A piece of the draft, in order. Pieces may break anywhere; nothing in it is trusted."""

    text: str


@dataclass(frozen=True, slots=True)
class DraftUsage:
    """What the draft cost, at most once and last."""

    usage: Usage


DraftPart = DraftText | DraftUsage


class Provider(Protocol):
    """Writes a draft from passages. The pipeline verifies every claim of it afterwards.

    One that calls a model has its `draft` decorated with `app.llm.counting.counted`.
    """

    @property
    def name(self) -> str:
        """What the result says wrote it."""
        ...

    def draft(self, request: DraftRequest) -> AsyncGenerator[DraftPart]:
        """Stream the draft.

        Raises:
            ProviderError: The model could not be reached or broke off; the message is fit for a log, not for a user.
        """
        ...
