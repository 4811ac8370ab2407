"""Whether two questions ask the same, word by word: what an embedding cannot tell apart, such as "who" and "when".

A miss costs a turn, a wrong hit a wrong answer: so whatever is not plainly the same is different.
"""

import re

from retrieval.words import content_words

_ASIDE = re.compile(
    r"^\W*(?:(?:please|hi|hello|hey|ok(?:ay)?|so|and|also|now|just|thanks|thank you)\b[\s,!.:]*)*"
    r"(?:(?:(?:can|could|would|will)\s+you\s+(?:please\s+)?(?:tell|explain|say|show|describe|inform)(?:\s+to)?(?:\s+me)?"
    r"|(?:please\s+)?(?:tell|explain|show)(?:\s+to)?\s+me"
    r"|i(?:\s+would|['’]d)\s+(?:like|love)\s+to\s+know|i\s+want\s+to\s+know|i\s+wonder"
    r"|do\s+you\s+(?:happen\s+to\s+)?know|may\s+i\s+ask)\b[\s,:]*)?",
    re.IGNORECASE,
)
"""What politeness puts before a question."""
_AFTER = re.compile(r"[\s,]*(?:please|thanks|thank you)?\W*$", re.IGNORECASE)
_ASKS = re.compile(
    r"\b(how\s+(?:many|much|long|old|often|far|large|big|fast|soon|high|late|early|likely)|how|who|whom|whose|when|where"
    r"|why|which|what(?:\s+(?:year|date|day|month|time|place|city|country|percentage|number|kind|type))?)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|neither|nor|without|cannot|except|excluding|unless)\b|n['’]t\b", re.IGNORECASE
)
_LESS = re.compile(r"\b(?:vice|ex|non|anti|un|co|sub|pre|post)[-–]?(?=\w)", re.IGNORECASE)


def agree(one: str, other: str) -> bool:
    """Whether two questions have the same words that tell, in the same order, numbers and negations and ask alike."""
    return _told(one) == _told(other)


def _told(question: str) -> tuple[object, ...]:
    bare = _AFTER.sub("", _ASIDE.sub("", question, count=1))
    asks = _ASKS.search(bare)
    return (
        " ".join(asks[0].lower().split()) if asks else "",
        tuple(content_words(bare)),
        tuple(_NUMBER.findall(bare)),
        len(_NEGATION.findall(bare)),
    )
