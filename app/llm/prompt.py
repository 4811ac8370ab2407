"""The prompts that every model-backed provider sends: `prompts/*.md`, rendered for one request.

The instructions come first and never change, so servers can reuse their prefix cache. What varies and what strangers
wrote (history, passages, question) comes after them.
"""

import hashlib
import secrets
from dataclasses import dataclass
from importlib.resources import files
from string import Template

import yaml

from app.llm.port import DraftRequest
from retrieval.types import Passage

_HISTORY_MESSAGES = 6
_HISTORY_CHARS = 2_000
_TITLE_CHARS = 200

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
    prompt = PROMPTS[request.prompt]
    user = prompt.user.substitute(
        marker=marker,
        passages=_quoted(request.passages, marker),
        question=_without(marker, request.question),
    )
    return [{"role": "system", "content": prompt.system}, *_recent(request), {"role": "user", "content": user}]


def _quoted(passages: tuple[Passage, ...], marker: str) -> str:
    """The passages, each under its own marker line so that a number forged inside one heads nothing."""
    fence = f"<<{marker}>>"
    blocks = [
        f"{fence}\n[{number}] {_without(marker, ' '.join(passage.title.split())[:_TITLE_CHARS])}\n"
        f"{_without(marker, passage.text.strip())}"
        for number, passage in enumerate(passages, start=1)
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
