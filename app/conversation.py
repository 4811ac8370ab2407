"""What a question means on its own, given the turns before it."""

import re
from collections.abc import Sequence

from app.types import Message
from retrieval.words import content_words

_OPENERS = re.compile(r"^\s*(and|but|so|or|also|then|what about|how about|why( not)?\s*\?|what if)\b", re.IGNORECASE)
_POINTERS = re.compile(
    r"\b(it|its|that|this|these|those|they|them|their|he|she|one|there|same|instead)\b", re.IGNORECASE
)
_FEW_WORDS = 1


def standalone(question: str, history: Sequence[Message]) -> str:
    """The question as it should be searched: a follow-up carries the last question that stood on its own.

    A question follows up when it opens with a conjunction, points back with a pronoun, or says very little.
    """
    asked = [message.content for message in history if message.role == "user"]
    if not asked or not _follows_up(question):
        return question
    topic = next((earlier for earlier in reversed(asked) if not _follows_up(earlier)), asked[-1])
    return f"{topic} {question}"


def _follows_up(question: str) -> bool:
    few = len(content_words(question)) <= _FEW_WORDS
    return few or bool(_OPENERS.search(question) or _POINTERS.search(question))
