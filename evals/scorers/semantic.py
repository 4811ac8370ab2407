"""Whether the answer means what the right answer means."""

from collections.abc import Callable, Sequence
from functools import cache, lru_cache

from app.types import ChatResult
from evals.golden.cases import Case
from evals.types import Evidence, Metric
from retrieval.embedders.port import Embedder, Vectors

_KEPT_TEXTS = 16_384
"""Vectors of so many texts are kept: gold answers come back with every repeat and every variant."""


def semantic_similarity(make: Callable[[], Embedder]) -> Metric:
    """The metric of an embedder: cosine of the answer and the closest of the gold texts, 0 for what points away.

    Gold texts are the answers and all of `must` as one text; without either, the quotes of the evidence. An abstention
    is 0 where an answer was due.

    Args:
        make: Makes the embedder; called once, before the first case.
    """
    embedder = cache(make)

    @lru_cache(maxsize=_KEPT_TEXTS)
    def vector(text: str) -> Vectors:
        return embedder().embed_query(text)

    def score(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
        gold = gold_texts(case)
        if not gold:
            return None
        if result.abstained or not result.answer.strip():
            return 0.0
        said = vector(result.answer)
        return min(1.0, max(0.0, *(float(said @ vector(text)) for text in gold)))

    def prepare(cases: Sequence[Case]) -> None:
        for text in dict.fromkeys(text for case in cases for text in gold_texts(case)):
            vector(text)

    return Metric(score, prepare=prepare)


def gold_texts(case: Case) -> tuple[str, ...]:
    """What a right answer of a case may be compared with."""
    gold = case.gold
    stated = tuple(text for text in (*gold.answers, " ".join(gold.must)) if text.strip())
    return stated or tuple(quote.quote for quote in gold.evidence)
