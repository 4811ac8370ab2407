"""Whether a text says what a claim says: words, numbers and negation. Deterministic.

Written apart from app/grounding/ on purpose: a release whose verifier is broken must not be scored by that verifier.
"""

import re
from collections.abc import Sequence

from app.sentences import sentences
from app.types import Citation, Claim
from evals.types import Evidence
from retrieval.words import content_words

MIN_SHARE = 0.7
"""Of a claim's content words that its sources must hold: what the shipped settings ask of a claim."""

_NUMBER = re.compile(r"(?<![\w.,])[-\u2212]\d+(?:[.,]\d+)*|\d+(?:[.,]\d+)*")
_THOUSANDS = re.compile(r",(?=\d{3}(?!\d))")
_NEGATION = re.compile(r"\b(?:not|no|never|none|neither|nor|without|cannot)\b|n['\u2019]t\b", re.IGNORECASE)


def supported(claim: str, sources: Sequence[str]) -> bool:
    """Whether sources, taken together, support a claim.

    One of them is the claim, word for word; or they hold at least 70 % of its distinct content words and all its
    numbers, and the sentence (or source) that is closest to the claim is negated exactly if the claim is.
    """
    if claim.split() and any(claim.split() == source.split() for source in sources):
        return True
    every = set(content_words(claim))
    words = {word for word in every if not word.isdigit()} or every
    held = set().union(*map(content_words, sources))
    if not words or len(words & held) < MIN_SHARE * len(words):
        return False
    if not numbers(claim) <= set().union(*map(numbers, sources)):
        return False
    pieces = [piece for source in sources for piece in (source, *_sentences(source))]
    return _negated(max(pieces, key=lambda piece: _likeness(words, set(content_words(piece))))) == _negated(claim)


def cited_text(citation: Citation, evidence: Evidence) -> str:
    """The canonical characters that a citation points at, whatever it quotes; empty where there are none."""
    text = evidence.text_of(citation.doc_id) or ""
    return text[citation.start : citation.end] if 0 <= citation.start < citation.end <= len(text) else ""


def is_supported(claim: Claim, evidence: Evidence) -> bool:
    """Whether the characters that a claim cites, taken together, support it."""
    return supported(claim.text, [cited_text(citation, evidence) for citation in claim.citations])


def numbers(text: str) -> set[str]:
    """Numbers with their sign: 1,000.00 and 1000 are one number."""
    plain = (_THOUSANDS.sub("", number.replace("\u2212", "-")) for number in _NUMBER.findall(text))
    return {re.sub(r"\.0+$", "", number) for number in plain}


def _sentences(text: str) -> list[str]:
    return [text[span.start : span.end] for span in sentences(text)]


def _likeness(one: set[str], other: set[str]) -> float:
    """Jaccard's: a source that says much more than the claim is less close than the sentence that says it."""
    return len(one & other) / len(one | other)


def _negated(text: str) -> bool:
    return len(_NEGATION.findall(text)) % 2 == 1
