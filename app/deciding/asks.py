"""What a question asks for, read off its words: the kind of answer, its parts, and whether it names its subject."""

import re
from typing import Literal

from retrieval.words import content_words

Kind = Literal["person", "time", "place", "number", "reason", "way", "yes_no", "thing"]

_KINDS: tuple[tuple[Kind, str], ...] = (
    ("number", r"\bhow\s+(?:many|much|long|old|far|big|large|tall|high|deep|fast|often|late|small)\b"),
    ("number", r"\b(?:what|which)\s+(?:number|percentage|percent|share|amount|size|population|age)\b"),
    ("time", r"\bwhen\b|\b(?:what|which)\s+(?:year|date|day|month|century|decade|time)\b"),
    ("place", r"\bwhere\b|\b(?:what|which)\s+(?:country|city|state|place|town|continent|location|county)\b"),
    ("person", r"\b(?:who|whom|whose)\b"),
    ("reason", r"\bwhy\b|\bwhat\s+(?:caused|causes|led)\b|\breasons?\b"),
    ("way", r"\bhow\b"),
    ("thing", r"\b(?:what|which)\b"),
)
_YES_NO = re.compile(
    r"^\W*(?:is|are|was|were|do|does|did|can|could|may|must|should|will|would|has|have|had)\b", re.IGNORECASE
)
_NUMBER = r"\d+(?:[.,]\d+)*"
_WORD_NUMBER = (
    r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundreds?|"
    r"thousands?|millions?|billions?|half|twice|once|dozens?|percent)\b"
)
_MONTH = (
    r"\b(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?|(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b"
)
_PERIOD = r"\b(?:century|centuries|decade|daily|weekly|monthly|yearly|annual(?:ly)?|today|during|until|before|after)\b"
_NAME = r"(?<![.!?]\s)(?<!^)\b[A-Z][\w’'-]+(?:\s+(?:of|the|de|von|van|del|la)\s+|\s+)?(?:[A-Z][\w’'-]+)?"
_SHOWS: dict[Kind, re.Pattern[str]] = {
    "person": re.compile(_NAME),
    "place": re.compile(rf"\b(?:in|at|on|near|from|to|into|of|between|across|within|along)\b[^.]*?(?:{_NAME})"),
    "time": re.compile(rf"\b(?:1\d|20)\d\d\b|(?i:{_MONTH})|(?i:{_PERIOD})|\d+\s*(?:BC|AD|am|pm|:)"),
    "number": re.compile(rf"{_NUMBER}|(?i:{_WORD_NUMBER})"),
    "reason": re.compile(r"\b(?:because|since|due|owing|so that|therefore|caus\w+|result\w*|led|reason\w*|to)\b", re.I),
}
_AND = re.compile(
    r"\?\s+(?=\w)|[,;]?\s+and\s+(?:also\s+)?(?=(?:who|what|when|where|why|how|which|is|are|was|were|does|do|did|can)\b)",
    re.IGNORECASE,
)
_POINTER = re.compile(r"\b(?:it|its|they|them|their|this|that|these|those|he|him|his|she|her|there|here)\b", re.I)
_MIN_WORDS = 2


def kind_of(question: str) -> Kind:
    """The kind of answer that is asked for; "thing" where nothing says more."""
    if _YES_NO.match(question):
        return "yes_no"
    return next((kind for kind, pattern in _KINDS if re.search(pattern, question, re.IGNORECASE)), "thing")


def shows(kind: Kind, text: str) -> bool | None:
    """Whether a text holds something of the kind; None where the kind has no look of its own."""
    pattern = _SHOWS.get(kind)
    return None if pattern is None else bool(pattern.search(text))


def numbers(text: str) -> frozenset[str]:
    """Numbers as they stand, without the commas between thousands."""
    return frozenset(found.replace(",", "").rstrip(".") for found in re.findall(_NUMBER, text))


def parts(question: str) -> tuple[str, ...]:
    """The questions that a question holds; one, the whole, where it cannot be cut into parts that each say something.

    "Where was it built and who paid for it?" asks two things, "who made bread and butter?" one.
    """
    cut = [part.strip() for part in _AND.split(question) if part.strip()]
    return tuple(cut) if len(cut) > 1 and all(len(part.split()) > _MIN_WORDS for part in cut) else (question,)


def points_back(question: str) -> bool:
    """Whether it says "it" or "they" and names hardly anything that these could be."""
    return bool(_POINTER.search(question)) and len(content_words(question)) <= _MIN_WORDS
