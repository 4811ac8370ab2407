"""The prompts that every model-backed provider sends: `prompts/*.md`, rendered for one request.

The instructions come first and never change, so servers can reuse their prefix cache. What varies and what strangers
wrote (history, passages, question) comes after them.
"""

import hashlib
import secrets
from dataclasses import dataclass, replace
from importlib.resources import files
from string import Template

import yaml

from app.llm.packing import clip, pack
from app.llm.port import DraftRequest
from app.tokens import count_tokens
from retrieval.types import Passage

_HISTORY_MESSAGES = 6
_HISTORY_CHARS = 2_000
_TITLE_CHARS = 200
_TOKENS_PER_MESSAGE = 4
_TOKENS_PER_PASSAGE = 24
"""Its marker, its number and the lines around them, measured: 17 to 21."""
_QUESTION_PART = 0.5
_LEAST_FOR_PASSAGES = 200
_LONGEST_TITLE = 32

GROUNDED_ANSWER = "grounded_answer"
STANDALONE_QUESTION = "standalone_question"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt file: `id` with its version, the hash of its bytes, and the two messages that it makes."""

    id: str
    sha256: str
    system: str
    user: Template


def _read(name: str) -> Prompt:
    source = files("app.llm").joinpath("prompts", f"{name}.md").read_bytes()
    _, front, body = source.decode().split("---\n", 2)
    meta = yaml.safe_load(front)
    system, user = (part.strip() for part in body.removeprefix("## System\n").split("\n## User\n"))
    return Prompt(f"{meta['id']}@{meta['version']}", hashlib.sha256(source).hexdigest(), system, Template(user))


PROMPTS = {name: _read(name) for name in (GROUNDED_ANSWER, STANDALONE_QUESTION)}
PROMPT_ID, PROMPT_SHA256 = PROMPTS[GROUNDED_ANSWER].id, PROMPTS[GROUNDED_ANSWER].sha256


def messages(request: DraftRequest) -> list[dict[str, str]]:
    """Render the request as chat messages in OpenAI's format.

    Args:
        request: Which prompt, and what the draft may draw on; passages are numbered [1]..[n] in the order given.

    Returns:
        The system message, the last messages of the history, and the user message with passages and question.
    """
    # Random per request: whoever wrote a passage cannot know it and so cannot close the data block.
    marker = secrets.token_hex(8)
    bound = request.prompt_tokens
    return _rendered(request if bound is None else _fitting(request, bound, marker), marker)


def prompt_tokens(rendered: list[dict[str, str]]) -> int:
    """The tokens of messages, with what chat templates put around each."""
    return sum(count_tokens(message["content"]) + _TOKENS_PER_MESSAGE for message in rendered)


def _rendered(request: DraftRequest, marker: str) -> list[dict[str, str]]:
    prompt = PROMPTS[request.prompt]
    user = prompt.user.substitute(
        marker=marker,
        passages=_quoted(request.passages, marker),
        question=_without(marker, request.question),
    )
    return [{"role": "system", "content": prompt.system}, *_recent(request), {"role": "user", "content": user}]


def _fitting(request: DraftRequest, bound: int, marker: str) -> DraftRequest:
    """The request cut to a bound of tokens: old history goes first, then what passages hold that is of little use."""

    def size(of: DraftRequest) -> int:
        return prompt_tokens(_rendered(of, marker))

    if size(request) <= bound:
        return request
    frame = replace(request, passages=(), history=request.history[-_HISTORY_MESSAGES:])
    # A question has at most a part of the room that the instructions leave: the best passage needs some, too.
    bare = size(replace(frame, history=(), question=""))
    frame = replace(frame, question=clip(request.question, max(1, int(_QUESTION_PART * (bound - bare)))))
    least = _LEAST_FOR_PASSAGES if request.passages else 0
    while frame.history and size(frame) + least > bound:
        frame = replace(frame, history=frame.history[1:])
    passages = [replace(passage, title=clip(_title(passage), _LONGEST_TITLE)) for passage in request.passages]
    room = bound - size(frame)
    while True:
        # Pieces can have a token or so more side by side than apart.
        fitting = replace(frame, passages=pack(request.question, passages, room, _TOKENS_PER_PASSAGE))
        over = size(fitting) - bound
        if over <= 0 or room <= 1:
            return fitting
        room = max(1, room - over)


def _title(passage: Passage) -> str:
    return " ".join(passage.title.split())[:_TITLE_CHARS]


def _quoted(passages: tuple[Passage, ...], marker: str) -> str:
    """The passages, each under its own marker line so that a number forged inside one heads nothing."""
    fence = f"<<{marker}>>"
    blocks = [
        f"{fence}\n[{number}] {_without(marker, _title(passage))}\n{_without(marker, passage.text.strip())}"
        for number, passage in enumerate(passages, start=1)
        if passage.text.strip()
    ]
    return "\n".join([*blocks, fence])


def _without(marker: str, text: str) -> str:
    # Replaced by a word, not by nothing: the halves around a removed marker could join into a new one.
    return text.replace(marker, "[removed]")


def _recent(request: DraftRequest) -> list[dict[str, str]]:
    """The last messages of the conversation, from a user's one on: many chat templates refuse another start."""
    recent = list(request.history[-_HISTORY_MESSAGES:])
    while recent and recent[0].role != "user":
        del recent[0]
    return [{"role": message.role, "content": message.content[:_HISTORY_CHARS]} for message in recent]
