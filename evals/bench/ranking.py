"""What a ranking is worth: pure functions of a ranked list of documents and their grades."""

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np

Name = TypeVar("Name", bound=Hashable)

RRF_K = 60
"""Cormack et al. 2009, "Reciprocal rank fusion outperforms Condorcet"."""


def ndcg(ranked: Sequence[str], grades: Mapping[str, float], k: int) -> float:
    """Return nDCG at k with linear gains (Järvelin and Kekäläinen 2002), as trec_eval computes it.

    Args:
        ranked: Distinct documents, best first.
        grades: Grade of each judged document; at least one is positive.
        k: How many ranks count.
    """
    gains = [grades.get(document, 0.0) for document in ranked[:k]]
    return _dcg(gains) / _dcg(sorted(grades.values(), reverse=True)[:k])


def recall(ranked: Sequence[str], grades: Mapping[str, float], k: int) -> float:
    """Share of the relevant documents (grade above 0) among the first k."""
    relevant = {document for document, grade in grades.items() if grade > 0}
    return len(relevant & set(ranked[:k])) / len(relevant)


def reciprocal_rank(ranked: Sequence[str], grades: Mapping[str, float], k: int) -> float:
    """1 over the rank of the first relevant document; 0 where none is among the first k."""
    ranks = (rank for rank, document in enumerate(ranked[:k], start=1) if grades.get(document, 0.0) > 0)
    return 1 / next(ranks, float("inf"))


def reciprocal_rank_fusion(rankings: Sequence[Sequence[Name]]) -> list[Name]:
    """One ranking of several: each gives 1 / (60 + rank); ties keep the order in which the names were met."""
    scores: dict[Name, float] = {}
    for ranking in rankings:
        for rank, name in enumerate(ranking, start=1):
            scores[name] = scores.get(name, 0.0) + 1 / (RRF_K + rank)
    return sorted(scores, key=lambda name: -scores[name])


def _dcg(gains: Sequence[float]) -> float:
    return float(np.dot(gains, 1 / np.log2(np.arange(2, len(gains) + 2))))
