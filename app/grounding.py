"""Tie each claim to source characters, whatever the draft said. Deterministic: words, numbers and negation."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.sentences import Span, sentences
from app.types import Citation, Claim
from retrieval.types import Passage
from retrieval.words import content_words

_MARK = re.compile(r"\s*\[\s*\d+(?:\s*[,;]\s*\d+)*\s*\]")
_NUMBER = re.compile(r"(?<![\w.,])[-−]?\d+(?:[.,]\d+)*|\d+(?:[.,]\d+)*")
_NEGATION = re.compile(r"\b(?:not|no|never|none|neither|nor|without|cannot)\b|n['’]t\b", re.IGNORECASE)
_REFUSAL = re.compile(
    r"^\W*(?:sorry\W+)?i\s+(?:do\s+not|don['’]t|cannot|can['’]t)\s+(?:know|answer|say|find|tell)", re.IGNORECASE
)
_LIST_MARK = re.compile(r"(?:[-*•–]|\d{1,3}[.)])\s+")
_WINDOW = 2
"""A claim may draw on up to so many neighbouring sentences."""


@dataclass(frozen=True, slots=True)
class _Match:
    passage: Passage
    span: Span
    support: float


@dataclass(frozen=True, slots=True)
class Grounding:
    """Verifies claims against the passages of the turn."""

    min_support: float = 0.7

    def verify(self, text: str, passages: Sequence[Passage]) -> Claim | None:
        """The claim with the best source span that supports it, or None.

        A span supports a claim when its whole sentences are the claim, word for word; or when it holds at least
        `min_support` of the claim's distinct content words (stemmed), and the sentence of the span that is closest to
        the claim holds all its numbers and is negated exactly if the claim is.
        """
        stated = _MARK.sub("", text).strip()
        if not content_words(stated) or _REFUSAL.match(stated):
            return None
        best = _verbatim(stated, passages) or self._closest(stated, passages)
        return Claim(stated, (_cite(best),), round(best.support, 4)) if best else None

    def _closest(self, stated: str, passages: Sequence[Passage]) -> _Match | None:
        words, numbers = set(content_words(stated)), _numbers(stated)
        said = {word for word in words if not word.isdigit()} or words
        best: _Match | None = None
        for passage in passages:
            for window in _windows(passage.text):
                span = Span(window[0].start, window[-1].end)
                source = passage.text[span.start : span.end]
                support = _share(words, source)
                if support < self.min_support or (best is not None and support <= best.support):
                    continue
                # A neighbour may add words, but neither numbers nor negation: "7" of the next sentence is another 7.
                closest = max((passage.text[s.start : s.end] for s in window), key=lambda text: _share(said, text))
                if numbers <= _numbers(closest) and _negated(stated) == _negated(closest):
                    best = _Match(passage, span, support)
        return best


def _verbatim(stated: str, passages: Sequence[Passage]) -> _Match | None:
    """Whole sentences, word for word; a part of one could say the opposite ("… never store passwords")."""
    wanted = _bare(stated)
    for passage in passages:
        for window in _windows(passage.text):
            start, end = window[0].start, window[-1].end
            if mark := _LIST_MARK.match(passage.text[start:end]):
                start += mark.end()
            if _bare(passage.text[start:end]) == wanted:
                return _Match(passage, Span(start, end), 1.0)
    return None


def _bare(sentence: str) -> str:
    """A sentence without its final punctuation and with single spaces."""
    return " ".join(sentence.split()).rstrip(".!。！")


def _windows(text: str) -> Iterator[tuple[Span, ...]]:
    """Single sentences first: a tie goes to the shorter span."""
    spans = sentences(text)
    for size in range(1, _WINDOW + 1):
        for first in range(len(spans) - size + 1):
            yield spans[first : first + size]


def _share(words: set[str], source: str) -> float:
    """Share of a claim's words that a source holds."""
    return len(words.intersection(content_words(source))) / len(words)


def _numbers(text: str) -> set[str]:
    """Numbers with their sign: 1,000.00 and 1000 are one number, 3.1 and 3.10 are two (they may be versions)."""
    return {_plain(number) for number in _NUMBER.findall(text)}


def _plain(number: str) -> str:
    number = re.sub(r",(?=\d{3}(?!\d))", "", number.replace("−", "-"))
    return re.sub(r"\.0+$", "", number)


def _negated(text: str) -> bool:
    """Whether an odd number of words negates: two of them cancel out."""
    return len(_NEGATION.findall(text)) % 2 == 1


def _cite(match: _Match) -> Citation:
    passage = match.passage
    quote = passage.text[match.span.start : match.span.end]
    start = passage.start + match.span.start
    place = passage.place_at(start)
    return Citation(
        doc_id=passage.doc_id,
        uri=passage.uri,
        title=passage.title,
        snapshot=passage.snapshot,
        start=start,
        end=passage.start + match.span.end,
        quote=quote,
        quote_sha256=hashlib.sha256(quote.encode()).hexdigest(),
        page=place.page,
        section=place.section,
    )
