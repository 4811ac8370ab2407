"""Bodies of requests. Bounds that are settings are checked by the functions that make a `ChatRequest`."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from app.http.failures import InvalidRequest, ModelNotFound
from app.settings import CORPUS_PATTERN, ChatSettings
from app.types import ChatRequest, CitedSpan, Message

MODEL = "assay"
MAX_NOTE_CHARS = 2_000
MAX_CITATIONS = 50
"""Of one earlier answer."""

_SURROGATE = re.compile("[\ud800-\udfff]")

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class CitationBody(BaseModel):
    """Where an earlier answer said that it was from. It is opened anew: what it says of itself proves nothing."""

    model_config = ConfigDict(extra="ignore")

    doc_id: str = Field(max_length=64)
    snapshot: str = Field(max_length=64)
    start: int = Field(ge=0, le=2**53)
    end: int = Field(ge=0, le=2**53)
    quote_sha256: str = Field("", max_length=64)

    def span(self) -> CitedSpan:
        """As the pipeline has it."""
        return CitedSpan(self.doc_id, self.snapshot, self.start, self.end, self.quote_sha256)


class MessageBody(BaseModel):
    """One earlier message."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["user", "assistant"]
    content: str
    citations: list[CitationBody] = Field(default=[], max_length=MAX_CITATIONS)

    def message(self) -> Message:
        """As the pipeline has it."""
        return Message(self.role, self.content, tuple(citation.span() for citation in self.citations))


class Limits(BaseModel):
    """What a turn may take. Both only ever lower what the service allows itself."""

    deadline_s: float | None = Field(None, gt=0, allow_inf_nan=False, description="Seconds until the answer is whole.")
    max_cost_usd: float | None = Field(None, ge=0, allow_inf_nan=False, description="For all calls of models.")


class ChatBody(Limits):
    """POST /v1/chat."""

    model_config = ConfigDict(extra="forbid")

    question: Text
    history: list[MessageBody] = []
    corpus: str | None = Field(None, pattern=CORPUS_PATTERN, description="By default the one that the service names.")
    stream: bool = False
    conversation_id: str | None = Field(
        None, pattern=r"^[0-9a-f]{32}$", description="Of POST /v1/conversations: goes on there, in place of `history`."
    )

    def request(self, corpus: str, bounds: ChatSettings) -> ChatRequest:
        """What the pipeline is asked.

        Raises:
            InvalidRequest: The question or the history is over its bound.
        """
        history = tuple(message.message() for message in self.history)
        if history and self.conversation_id is not None:
            raise InvalidRequest("Send `history` or `conversation_id`, not both: the service has the history.")
        if len(history) > bounds.max_history_messages:
            raise InvalidRequest(f"The history has more than {bounds.max_history_messages} messages.")
        if _chars(history) > bounds.max_history_chars:
            raise InvalidRequest(f"The history has more than {bounds.max_history_chars:,} characters.")
        asked = ChatRequest(_bounded(self.question, bounds), history, self.corpus or corpus)
        return _readable(_limited(asked, self))


class BatchItem(ChatBody):
    """One request of a batch."""

    id: str = Field("", max_length=200, description="Comes back with its answer.")
    stream: Literal[False] = False
    conversation_id: None = None


class BatchBody(BaseModel):
    """POST /v1/batch. Items are checked one by one: a wrong one is a problem of its own."""

    model_config = ConfigDict(extra="forbid")

    requests: list[dict[str, Any]] = Field(min_length=1)


class FeedbackBody(BaseModel):
    """POST /v1/feedback."""

    model_config = ConfigDict(extra="forbid")

    turn_id: str = Field(min_length=1, max_length=64)
    rating: Literal["up", "down"]
    note: str = Field("", max_length=MAX_NOTE_CHARS)


class CompletionMessage(BaseModel):
    """A message as OpenAI's clients send it."""

    model_config = ConfigDict(extra="ignore")

    role: str
    content: str | list[dict[str, Any]] | None = None
    annotations: list[dict[str, Any]] | None = None

    @property
    def text(self) -> str:
        """The words of the message.

        Raises:
            InvalidRequest: It holds an image, a sound or a file.
        """
        if not isinstance(self.content, list):
            return self.content or ""
        texts = [part.get("text") for part in self.content if part.get("type") == "text"]
        if len(texts) < len(self.content) or not all(isinstance(text, str) for text in texts):
            raise InvalidRequest("Only text can be read in a message.")
        return "\n".join(map(str, texts))

    @property
    def cited(self) -> tuple[CitedSpan, ...]:
        """Where an answer of ours said that it was from, as clients send it back; others' annotations are left out."""
        found = []
        for annotation in (self.annotations or [])[:MAX_CITATIONS]:
            try:
                found.append(CitationBody.model_validate(annotation.get("url_citation")).span())
            except ValidationError:
                continue
        return tuple(found)


class StreamOptions(BaseModel):
    """What a stream should say besides the answer."""

    model_config = ConfigDict(extra="ignore")

    include_usage: bool = False


class CompletionBody(Limits):
    """POST /v1/chat/completions: unknown members are ignored, as clients send many."""

    model_config = ConfigDict(extra="ignore")

    model: str = MODEL
    messages: list[CompletionMessage] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions | None = None

    def request(self, corpus: str, bounds: ChatSettings) -> ChatRequest:
        """What the pipeline is asked: the last user message, after the user and assistant messages before it.

        These clients send the whole conversation every time, so what is over the bounds is cut from its beginning.

        Raises:
            InvalidRequest: There is no user message, or the last one is over its bound.
            ModelNotFound: The model names no corpus.
        """
        said = [m for m in self.messages if m.role in ("user", "assistant") and m.text.strip()]
        talk = [Message("user" if m.role == "user" else "assistant", m.text, m.cited) for m in said]
        last = max((i for i, message in enumerate(talk) if message.role == "user"), default=None)
        if last is None:
            raise InvalidRequest("There is no user message to answer.")
        question = _bounded(talk[last].content.strip(), bounds)
        return _readable(_limited(ChatRequest(question, _newest(talk[:last], bounds), self._corpus(corpus)), self))

    def _corpus(self, default: str) -> str:
        name, slash, corpus = self.model.partition("/")
        if name != MODEL or (slash and not re.fullmatch(CORPUS_PATTERN, corpus)):
            raise ModelNotFound(f"The model is '{MODEL}', or '{MODEL}/CORPUS'. GET /v1/models lists them.")
        return corpus or default


def _limited(request: ChatRequest, limits: Limits) -> ChatRequest:
    return replace(request, deadline_s=limits.deadline_s, max_cost_usd=limits.max_cost_usd)


def _readable(request: ChatRequest) -> ChatRequest:
    """JSON can spell half a character (a lone surrogate), which no tokenizer can read and no database can store."""
    if any(_SURROGATE.search(text) for text in (request.question, *(message.content for message in request.history))):
        raise InvalidRequest("The text holds half a character (a lone surrogate). Send valid Unicode.")
    return request


def _bounded(question: str, bounds: ChatSettings) -> str:
    if len(question) > bounds.max_question_chars:
        raise InvalidRequest(f"The question has more than {bounds.max_question_chars:,} characters.")
    return question


def _newest(history: Sequence[Message], bounds: ChatSettings) -> tuple[Message, ...]:
    kept = list(history[-bounds.max_history_messages :]) if bounds.max_history_messages else []
    while _chars(kept) > bounds.max_history_chars:
        kept.pop(0)
    return tuple(kept)


def _chars(history: Sequence[Message]) -> int:
    return sum(len(message.content) for message in history)
