"""The prompt that every model-backed provider sends: `prompts/grounded_answer.md`, rendered for one request.

The instructions come first and never change, so servers can reuse their prefix cache. What varies and what strangers
wrote (history, passages, question) comes after them.
"""

import hashlib
import secrets
from importlib.resources import files
from string import Template

import yaml

from app.llm.port import DraftRequest
from retrieval.types import Passage

_HISTORY_MESSAGES = 6
_HISTORY_CHARS = 2_000
_TITLE_CHARS = 200

_SOURCE = files("app.llm").joinpath("prompts", "grounded_answer.md").read_bytes()
_, _FRONT, _BODY = _SOURCE.decode().split("---\n", 2)
_META: dict[str, object] = yaml.safe_load(_FRONT)
_SYSTEM, _USER = (part.strip() for part in _BODY.removeprefix("## System\n").split("\n## User\n"))

PROMPT_ID = f"{_META['id']}@{_META['version']}"
PROMPT_SHA256 = hashlib.sha256(_SOURCE).hexdigest()


def messages(request: DraftRequest) -> list[dict[str, str]]:
    """Render the request as chat messages in OpenAI's format.

    Args:
        request: What the draft may draw on; passages are numbered [1]..[n] in the order given.

    Returns:
        The system message, the last messages of the history, and the user message with passages and question.
    """
    # Random per request: whoever wrote a passage cannot know it and so cannot close the data block.
    marker = secrets.token_hex(8)
    user = Template(_USER).substitute(
        marker=marker,
        passages=_quoted(request.passages, marker),
        question=_without(marker, request.question),
    )
    return [{"role": "system", "content": _SYSTEM}, *_recent(request), {"role": "user", "content": user}]


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
