"""A conversation within a bound of tokens: the newest messages whole, of older ones only what was asked."""

from collections.abc import Sequence
from dataclasses import replace

from app.tokens import count_tokens
from app.types import Message

_WHOLE_SHARE = 2 / 3
"""Of the bound that whole messages may take; the rest is for older questions, which carry the topic."""


def condensed(history: Sequence[Message], max_tokens: int) -> tuple[Message, ...]:
    """The messages in their order, `max_tokens` (o200k_base) in all; one that is cut keeps its beginning.

    Args:
        history: Oldest first.
        max_tokens: At least 1.
    """
    if sum(len(message.content.encode("utf-8", "surrogatepass")) for message in history) <= max_tokens:
        return tuple(history)  # a token is at least one byte
    sizes = [count_tokens(message.content) for message in history]
    if sum(sizes) <= max_tokens:
        return tuple(history)
    kept: list[Message] = []
    left, whole = max_tokens, True
    for message, size in zip(reversed(history), reversed(sizes), strict=True):
        if whole and size > left - max_tokens * (1 - _WHOLE_SHARE):
            whole = False
            if not kept:  # the last thing that was said is too long by itself
                cut = replace(message, content=_beginning(message.content, int(max_tokens * _WHOLE_SHARE)))
                kept.append(cut)
                left -= count_tokens(cut.content)
                continue
        if (whole or message.role == "user") and size <= left:
            kept.append(message)
            left -= size
    return tuple(reversed(kept))


def _beginning(text: str, max_tokens: int) -> str:
    while (size := count_tokens(text)) > max_tokens:
        text = text[: min(len(text) - 1, len(text) * max_tokens // size)]
    return text
