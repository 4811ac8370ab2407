"""Passages that say the same: near-duplicates collapsed, and, where that is wanted, an order that spreads out."""

import math
from collections.abc import Sequence

from retrieval.types import Passage
from retrieval.words import content_words

SHINGLE_WORDS = 5


def without_duplicates(passages: Sequence[Passage], similarity: float | None) -> list[Passage]:
    """The passages without those that repeat a better one.

    Args:
        passages: Best first.
        similarity: From this Jaccard index of 5-word shingles on, one repeats the other; None keeps all.
    """
    if similarity is None:
        return list(passages)
    kept: list[Passage] = []
    seen: list[frozenset[str]] = []
    holders: dict[str, list[int]] = {}
    for passage in passages:
        shingles = _shingles(passage.text)
        prefix = _prefix(shingles, similarity)
        likely = {other for shingle in prefix for other in holders.get(shingle, ())}
        if all(_jaccard(shingles, seen[other]) < similarity for other in likely):
            for shingle in prefix:
                holders.setdefault(shingle, []).append(len(kept))
            kept.append(passage)
            seen.append(shingles)
    return kept


def spread(passages: Sequence[Passage], diversity: float) -> list[Passage]:
    """Reorder by maximal marginal relevance: score against likeness in words to what is already taken.

    Args:
        passages: Best first.
        diversity: 1 - lambda of Carbonell and Goldstein 1998, "The use of MMR"; 0 keeps the order.
    """
    if diversity == 0:
        return list(passages)
    words = [frozenset(content_words(passage.text)) for passage in passages]
    left, taken = list(range(len(passages))), list[int]()
    nearest = [0.0] * len(passages)
    while left:
        best = max(left, key=lambda i: ((1 - diversity) * passages[i].score - diversity * nearest[i], -i))
        left.remove(best)
        taken.append(best)
        for i in left:
            nearest[i] = max(nearest[i], _jaccard(words[i], words[best]))
    return [passages[i] for i in taken]


def _shingles(text: str) -> frozenset[str]:
    words = text.lower().split()
    count = max(1, len(words) - SHINGLE_WORDS + 1)
    return frozenset(" ".join(words[i : i + SHINGLE_WORDS]) for i in range(count))


def _prefix(shingles: frozenset[str], similarity: float) -> list[str]:
    """So many shingles, in one fixed order, that two sets as alike as `similarity` share one of them.

    Source: Chaudhuri et al. 2006, "A primitive operator for similarity joins" (prefix filter).
    """
    return sorted(shingles)[: len(shingles) - math.ceil(similarity * len(shingles) - 1e-9) + 1]


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    union = len(one | other)
    return len(one & other) / union if union else 1.0
