"""Duplicates among questions, exact and near. The only door to datasketch."""

from collections.abc import Sequence
from itertools import combinations, pairwise

from evals.golden.cases import Case
from evals.scorers.words import normalised

NEAR = 0.4
"""Jaccard over shingles of one and two words from which two questions are near-duplicates.

Measured on the shipped sets (712 questions): no two that ask different things have more than 0.28. The handbook's first
84, changed on purpose, keep in 95 % of the tries 0.57 or more of themselves with one word replaced, 0.40 with two, 0.73
with two appended, 0.65 with three put in front, 0.83 with their halves swapped. A paraphrase in other words is not
found: that is what groups are for.
"""
STANDS_ALONE = 8
"""Words from which a question says by itself what it asks; shorter follow-ups are compared with their conversation."""
_BANDS, _ROWS = 128, 3
"""Of the index: a pair at the threshold becomes a candidate with probability 1 - (1 - 0.4^3)^128 = 0.9998."""


def asked(case: Case) -> str:
    """What a case asks, with the conversation before it, in lower case and with single spaces: equal only if equal."""
    return " ".join(_conversation(case).casefold().split())


def near_pairs(cases: Sequence[Case], threshold: float = NEAR) -> list[tuple[int, int, float]]:
    """All pairs of cases that ask nearly or exactly the same: index, higher index, similarity from `threshold` to 1.

    Candidates come from MinHash signatures, so that not every pair is compared; what is reported is the exact Jaccard.
    """
    questions = [_words(case.question) for case in cases]
    shingles = [_shingles(words) for words in questions]
    conversations = [_shingles(_words(_conversation(case))) for case in cases]
    found = []
    for one, other in _candidates(shingles):
        alike = _jaccard(shingles[one], shingles[other])
        if min(len(questions[one]), len(questions[other])) < STANDS_ALONE:
            alike = min(alike, _jaccard(conversations[one], conversations[other]))
        if alike >= threshold:
            found.append((one, other, alike))
    return found


def _candidates(sets: Sequence[frozenset[str]]) -> list[tuple[int, int]]:
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(num_perm=_BANDS * _ROWS, params=(_BANDS, _ROWS))
    empty = MinHash(num_perm=_BANDS * _ROWS, seed=1)
    first: dict[frozenset[str], int] = {}
    same: dict[int, list[int]] = {}
    pairs: set[tuple[int, int]] = set()
    for number, shingles in enumerate(sets):
        known = first.setdefault(shingles, number)  # templates repeat: equal sets need one signature
        same.setdefault(known, []).append(number)
        if known == number:
            signature = empty.copy()
            signature.update_batch([shingle.encode() for shingle in sorted(shingles)])
            for other in index.query(signature):
                pairs.add((other, number))
            index.insert(number, signature)
    every = {tuple(sorted((a, b))) for one, other in pairs for a in same[one] for b in same[other]}
    every |= {pair for members in same.values() for pair in combinations(members, 2)}
    return sorted((a, b) for a, b in every)


def _conversation(case: Case) -> str:
    return "\n".join([*(turn.content for turn in case.history), case.question])


def _words(text: str) -> tuple[str, ...]:
    """Words and numbers; a text without any (signs, pictures) is one word."""
    return normalised(text) or (" ".join(text.split()),)


def _shingles(words: Sequence[str]) -> frozenset[str]:
    return frozenset([*words, *(f"{one} {two}" for one, two in pairwise(words))])


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)
