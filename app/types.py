"""The words of a chat turn. Offsets count Unicode code points of a canonical text, end exclusive."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from retrieval.types import OPEN, Passage, Query, Scope


@dataclass(frozen=True, slots=True)
class CitedSpan:
    """Characters of a document that an earlier answer cited. A client may send it: untrusted until it is opened."""

    doc_id: str
    snapshot: str
    start: int
    end: int
    quote_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One earlier turn of the conversation, as the client sent it: untrusted."""

    role: Literal["user", "assistant"]
    content: str
    cited: tuple[CitedSpan, ...] = ()
    """Of an answer, where it says that it is from."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A question with its conversation, put to one corpus."""

    question: str
    history: tuple[Message, ...] = ()
    corpus: str = "default"
    scope: Scope = OPEN
    """Set by the door that the request came through, never by the request itself."""
    deadline_s: float | None = None
    """Lowers the setting `chat.deadline_s`, never raises it."""
    max_cost_usd: float | None = None
    """Lowers the setting `chat.max_cost_usd`, never raises it."""
    payer: str = ""
    """The name of the API key whose daily budget pays; set by the door."""

    @property
    def query(self) -> Query:
        """What is searched for: the question, with what the same person asked before."""
        return Query(self.question, tuple(message.content for message in self.history if message.role == "user"))


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a provider says it used, or an estimate where it did not say; zero where no model was called."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        """Both together."""
        prompt = self.prompt_tokens + other.prompt_tokens
        return Usage(prompt, self.completion_tokens + other.completion_tokens)


@dataclass(frozen=True, slots=True)
class Citation:
    """Exact characters of a source: `quote == canonical_text[start:end]` of `doc_id` in `snapshot`."""

    doc_id: str
    uri: str
    title: str
    snapshot: str
    start: int
    end: int
    quote: str
    quote_sha256: str
    page: str | None
    section: str | None


class Verdict(StrEnum):
    """What the passages say of a claim."""

    SUPPORTED = "supported"
    PARTLY = "partly"
    UNSUPPORTED = "unsupported"
    CONTRADICTED = "contradicted"


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement of the answer with the source spans that support it.

    `support` is the probability, in [0, 1], that the spans say it. The claim is `answer[start:end]`. `conflicts` are
    spans of other sources that say otherwise. `highlight` is the shortest part of the text that answers.
    """

    text: str
    citations: tuple[Citation, ...]
    support: float
    verdict: Verdict = Verdict.SUPPORTED
    start: int = 0
    end: int = 0
    conflicts: tuple[Citation, ...] = ()
    highlight: tuple[int, int] | None = None


class Action(StrEnum):
    """What a turn did with the question."""

    ANSWER = "answer"
    PARTLY = "partly"
    """Answered, and said what is missing."""
    CLARIFY = "clarify"
    """Asked back: the question has several meanings here."""
    ABSTAIN = "abstain"


class Reason(StrEnum):
    """Why the answer is what it is."""

    ANSWERED = "answered"
    FELL_BACK = "fell_back_to_extractive"
    PROVIDER_FAILED = "provider_failed"
    NO_PASSAGES = "no_passages"
    NOT_COVERED = "not_covered"
    CONFIDENT = "confident_extract"
    """The extractive answer was sure enough to spare the model."""
    OUT_OF_TIME = "out_of_time"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class ChatResult:
    """All that a turn produced: what clients show and what scorers need."""

    turn_id: str
    question: str
    answer: str
    abstained: bool
    reason: Reason
    claims: tuple[Claim, ...]
    dropped: tuple[str, ...]
    passages: tuple[Passage, ...]
    corpus: str
    snapshot: str
    provider: str
    usage: Usage
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    tenant: str = ""
    action: Action = Action.ANSWER
    confidence: float | None = None
    """Probability that the answer is right, calibrated for the corpus; None where nothing was weighed."""
    missing: tuple[str, ...] = ()
    """What of the question the answer leaves open."""
    options: tuple[str, ...] = ()
    """Of a clarifying question: what could be meant. Of an abstention: the nearest topics that the corpus knows."""
    degraded: tuple[str, ...] = ()
    """Steps of the degradation ladder that were taken, in order."""
    dropped_why: tuple[str, ...] = ()
    """Of each dropped statement its verdict and the reason."""
    attempts: int = 0
    """Calls of models upstream."""
    cost_usd: float | None = None
    """Of all calls of models; None where the price of one is not known."""
    usage_by_provider: Mapping[str, Usage] = field(default_factory=dict)
    """Which model used what; `usage` is the sum."""
    cached: Literal["", "exact", "semantic"] = ""
    """Said before, to this question or to one that means the same, and verified again."""


@dataclass(frozen=True, slots=True)
class PassagesFound:
    """Retrieval is done; these are what the answer may draw on."""

    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class ClaimVerified:
    """A claim stood up against its sources and may be shown."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class Finished:
    """The turn is over."""

    result: ChatResult


TurnEvent = PassagesFound | ClaimVerified | Finished
