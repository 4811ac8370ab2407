"""How near an answer's words come to a gold answer's. Pure functions of texts, in [0, 1]."""

from collections import Counter
from collections.abc import Sequence

from evals.scorers.words import holds, normalised


def exact_match(said: str, answers: Sequence[str]) -> float:
    """1 where the answer is a gold answer, but for case, punctuation, articles and how numbers are written."""
    words = normalised(said)
    return float(any(words == gold for gold in _golds(answers)))


def token_f1(said: str, answers: Sequence[str]) -> float:
    """The best F1 of shared words with any gold answer (Rajpurkar et al. 2016, SQuAD)."""
    words = normalised(said)
    return max((_f1(words, gold) for gold in _golds(answers)), default=0.0)


def contains_gold(said: str, answers: Sequence[str]) -> float:
    """1 where the words of a gold answer stand in the answer, one after the other."""
    words = normalised(said)
    return float(any(holds(words, answer) for answer in answers))


def _golds(answers: Sequence[str]) -> list[tuple[str, ...]]:
    """An answer without a single word says nothing that could be matched."""
    return [words for words in map(normalised, answers) if words]


def _f1(said: tuple[str, ...], gold: tuple[str, ...]) -> float:
    shared = sum((Counter(said) & Counter(gold)).values())
    return 2 * shared / (len(said) + len(gold))
