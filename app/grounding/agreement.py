"""Where a claim and the sentence that is closest to it disagree: numbers, dates, units, negation, opposites, names."""

import re
from collections.abc import Iterable

from app.grounding.quantities import Quantity, missing, quantities
from app.grounding.sources import Sentence, negated
from retrieval.words import content_words

_NAME = re.compile(r"(?<![.!?:]\s)(?<!^)\b[A-Z][\w’'-]*\w")
_OPPOSITES = (
    "increase decrease, higher lower, more less, most least, before after, largest smallest, larger smaller, "
    "always never, allowed forbidden, enable disable, enabled disabled, north south, northern southern, east west, "
    "eastern western, early late, earlier later, success failure, won lost, high low, long short, best worst, "
    "better worse, began ended, strong weak, major minor, many few, above below, include exclude, accept reject, "
    "public private, positive negative, rise fall, rose fell, promote inhibit, activate inhibit, prevent cause, "
    "improve worsen, upper lower, internal external, minimum maximum, possible impossible, same different, "
    "support oppose, reduce raise, reduce increase, required optional, safe unsafe, open closed, first last"
)


def _opposites() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for pair in _OPPOSITES.split(", "):
        a, b = (content_words(word) or [word] for word in pair.split())
        found.setdefault(a[0], set()).add(b[0])
        found.setdefault(b[0], set()).add(a[0])
    return {word: frozenset(others) for word, others in found.items()}


_OPPOSED = _opposites()


def disagreements(claim: str, closest: Sentence, beside: Iterable[Quantity] = ()) -> list[str]:
    """What the sentence that is closest to a claim says otherwise, in words fit to be sent back to a model.

    Args:
        claim: The statement, without citation marks.
        closest: The sentence of the sources that shares most of its words.
        beside: Quantities of other sentences that are cited with it for parts of the claim of their own.
    """
    stated = closest.quantities | frozenset(beside)
    lacking = missing(quantities(claim), stated)
    found = [f"the source does not say {' '.join(part for part in quantity if part)}" for quantity in lacking]
    if negated(claim) != closest.negated:
        found.append("the source says the opposite: one of them is negated")
    return [*found, *(f"the source says '{other}', not '{word}'" for word, other in opposites(claim, closest))]


def opposites(claim: str, closest: Sentence) -> list[tuple[str, str]]:
    """Words of a claim in whose place the sentence has the opposite: (claim's, sentence's), stemmed."""
    words = frozenset(content_words(claim))
    return [
        (word, other)
        for word in sorted(words - closest.words)
        for other in sorted(_OPPOSED.get(word, frozenset()) & closest.words - words)
    ]


def unknown_names(claim: str, known: frozenset[str]) -> list[str]:
    """Capitalised words of a claim, but not its first, that the cited sources do not hold."""
    return sorted({name for name in _NAME.findall(claim) if not known.issuperset(content_words(name))})
