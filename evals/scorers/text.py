"""How much of the words of the right answer the answer has. Each takes the gold answer that fits best.

They apply where gold answers (or `must`) are given; an abstention there is 0. Words are those of `words.normalised`.
"""

from collections import Counter
from collections.abc import Callable

from rapidfuzz.distance import LCSseq

from app.types import ChatResult
from evals.golden.cases import Case
from evals.scorers.words import holds, normalised
from evals.types import Evidence

_Words = tuple[str, ...]


def exact_match(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """1 when the answer is a gold answer, word for word, and nothing besides (Rajpurkar et al. 2016)."""
    return _best(lambda said, gold: float(said == gold), case, result)


def token_f1(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """F1 of the words that answer and gold answer share, as often as both have them (Rajpurkar et al. 2016)."""
    return _best(lambda said, gold: _f1((Counter(said) & Counter(gold)).total(), said, gold), case, result)


def rouge_l(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """ROUGE-L: F1 of the longest common subsequence of words (Lin 2004, with beta = 1)."""
    return _best(lambda said, gold: _f1(LCSseq.similarity(said, gold), said, gold), case, result)


def must_score(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """Share of `must` that the answer holds."""
    must = case.gold.must
    if not must:
        return None
    said = () if result.abstained else normalised(result.answer)
    return sum(holds(said, part) for part in must) / len(must)


def _best(score: Callable[[_Words, _Words], float], case: Case, result: ChatResult) -> float | None:
    if not case.gold.answers:
        return None
    if result.abstained:
        return 0.0
    said = normalised(result.answer)
    return max(score(said, normalised(answer)) for answer in case.gold.answers)


def _f1(shared: int, said: _Words, gold: _Words) -> float:
    return 2 * shared / (len(said) + len(gold)) if shared else 0.0
