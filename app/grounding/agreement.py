"""Where a claim and the sentence that is closest to it disagree: numbers, dates, units, negation, opposites, names."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise

from app.grounding.quantities import Quantity, missing, quantities
from app.grounding.sources import Sentence, negated, negations
from retrieval.words import content_words

_NAME = re.compile(r"(?<![.!?:]\s)(?<!^)\b[A-Z][\w’'-]*\w")
_CLAUSE = re.compile(r"[;:,]\s+|\s[—–]\s")
OPPOSITES = (
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
    for pair in OPPOSITES.split(", "):
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
    if _polarity_differs(claim, part_about(claim, closest)):
        found.append("the source says the opposite: one of them is negated")
    return [*found, *(f"the source says '{other}', not '{word}'" for word, other in opposites(claim, closest))]


def _polarity_differs(claim: str, source: str) -> bool:
    """By the parity of negating words, for two of them cancel out; by their number where the words are the same."""
    words = frozenset(content_words(claim))
    if len(words.intersection(content_words(source))) >= _SAME_WORDS * len(words):
        return negations(claim) != negations(source)
    return negated(claim) != negated(source)


_SAME_WORDS = 0.95


def part_about(claim: str, sentence: Sentence) -> str:
    """The clauses of a sentence that a claim is about: the shortest run of them that holds as much of it as all do.

    Another clause of the sentence may negate, and says nothing of this claim.
    """
    cuts = [0, *(match.end() for match in _CLAUSE.finditer(sentence.text)), len(sentence.text)]
    words = frozenset(content_words(claim))
    wanted = len(words & sentence.words)
    for size in range(1, len(cuts) - 1):
        for first in range(len(cuts) - size):
            part = sentence.text[cuts[first] : cuts[first + size]]
            if len(words.intersection(content_words(part))) >= wanted:
                return part
    return sentence.text


def opposites(claim: str, closest: Sentence) -> list[tuple[str, str]]:
    """Words of a claim in whose place the sentence has the opposite: (claim's, sentence's), stemmed."""
    said, stands = Counter(content_words(claim)), Counter(content_words(part_about(claim, closest)))
    return [
        (word, other)
        for word in sorted(said)
        for other in sorted(_OPPOSED.get(word, frozenset()))
        if said[word] > stands[word] and stands[other] > said[other]
    ]


def unheld(claim: str, sources: Sequence[Sequence[str]]) -> str:
    """What of a claim the cited words do not say, or say in another order; "" where they say enough.

    A word here and there may be another one than the source's. Three neighbouring words, or three of ten, are a
    statement of their own; and words that stand in another order say something else ("the dog bites the man").

    Args:
        claim: The statement.
        sources: The content words of each cited span, in order.
    """
    said = content_words(claim)
    held = {word for words in sources for word in words}
    runs = [list(run) for is_held, run in groupby(said, lambda word: word in held) if not is_held]
    longest = max(runs, key=len, default=[])
    if len(longest) >= _RUN or sum(map(len, runs)) > _PART * len(said):
        return f"the source does not say '{' '.join(longest)}'"
    if runs and len(said) > len(runs[-1]) >= _TAIL and said[-len(runs[-1]) :] == runs[-1]:
        return f"the source does not end with '{' '.join(runs[-1])}'"
    kept = [word for word in said if word in held]
    in_order = sum(_common(kept, words) for words in sources)
    near = sum(any(_follows(a, b, words) for words in sources) for a, b in pairwise(kept))
    if (len(kept) >= _ORDERED_FROM and in_order < _IN_ORDER * len(kept)) or near < _NEAR * (len(kept) - 1):
        return "the source says these words in another order"
    return ""


def _follows(a: str, b: str, words: Sequence[str]) -> bool:
    """Whether `b` stands among the next words after `a`."""
    return any(word == a and b in words[i + 1 : i + 1 + _WITHIN] for i, word in enumerate(words))


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    """The length of the longest common subsequence."""
    row = [0] * (len(b) + 1)
    for word in a:
        before = row
        row = [0]
        for j, other in enumerate(b):
            row.append(before[j] + 1 if word == other else max(before[j + 1], row[j]))
    return row[-1]


_RUN = 3
_TAIL = 2
"""So many words at the end that no source says are a statement added to a true one."""
_PART = 0.3
_ORDERED_FROM = 4
_IN_ORDER = 0.6
_NEAR = 0.5
"""Share of neighbouring words that must stand near each other in a source, too, in this order."""
_WITHIN = 3


def unknown_names(claim: str, known: frozenset[str]) -> list[str]:
    """Capitalised words of a claim, but not its first, that the cited sources do not hold."""
    return sorted({name for name in _NAME.findall(claim) if not known.issuperset(content_words(name))})
