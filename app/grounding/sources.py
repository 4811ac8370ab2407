"""What verification needs to know of passages, read once: sentences with their words, quantities and polarity."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from app.grounding.quantities import Quantity, quantities
from app.sentences import Span, sentences
from retrieval.types import Passage
from retrieval.words import content_words

_NEGATION = re.compile(r"\b(?:not|no|never|none|neither|nor|without|cannot)\b|n['’]t\b", re.IGNORECASE)
_LIST_MARK = re.compile(r"(?:[-*•–]|\d{1,3}[.)])\s+")


@dataclass(frozen=True, slots=True)
class Sentence:
    """`text[start:end]` of a passage."""

    start: int
    end: int
    text: str
    words: frozenset[str]
    quantities: frozenset[Quantity]


@dataclass(frozen=True, slots=True)
class Window:
    """One or several sentences of one passage, in order, with nothing but white space between them."""

    passage: Passage
    sentences: tuple[Sentence, ...]

    @property
    def span(self) -> Span:
        """Its characters in the passage's text."""
        return Span(self.sentences[0].start, self.sentences[-1].end)

    @property
    def text(self) -> str:
        """The characters."""
        return self.passage.text[self.span.start : self.span.end]

    @property
    def words(self) -> frozenset[str]:
        """Content words, stemmed."""
        return frozenset().union(*(sentence.words for sentence in self.sentences))


def windows(passage: Passage, size: int) -> Iterator[Window]:
    """All runs of up to `size` neighbouring sentences; single ones first, so that a tie goes to the shorter one."""
    read = sentences_of(passage.text)
    for length in range(1, size + 1):
        for first in range(len(read) - length + 1):
            yield Window(passage, read[first : first + length])


@lru_cache(maxsize=512)
def sentences_of(text: str) -> tuple[Sentence, ...]:
    """The sentences of a text; list marks in front of them are left out."""
    return tuple(_sentence(text, *span) for span in sentences(text))


def negations(text: str) -> int:
    """How many words negate."""
    return len(_NEGATION.findall(text))


def negated(text: str) -> bool:
    """Whether an odd number of words negates: two of them cancel out."""
    return negations(text) % 2 == 1


def known_beside(passages: Sequence[Passage]) -> frozenset[str]:
    """Words of titles and sections: what a passage is about need not be said in each of its sentences."""
    return frozenset(word for p in passages for word in content_words(f"{p.title} {p.section or ''}"))


def _sentence(text: str, start: int, end: int) -> Sentence:
    if mark := _LIST_MARK.match(text[start:end]):
        start += mark.end()
    said = text[start:end]
    return Sentence(start, end, said, frozenset(content_words(said)), quantities(said))
