"""Relevance feedback: a second search that starts nearer to what the second look liked."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.embedders.port import Vectors
from retrieval.types import Passage

SHARPNESS = 20.0
"""Per unit of score: a passage that is .05 worse counts 1/e of the better one."""


def liking(passages: Sequence[Passage]) -> NDArray[np.float64]:
    """How much each passage counts, (passages,), summing to one: the softmax of their scores."""
    scores = np.array([passage.score for passage in passages])
    weights = np.exp(SHARPNESS * (scores - scores.max()))
    return np.asarray(weights / weights.sum())


def towards(question: Vectors, liked: Vectors, weights: NDArray[np.float64], step: float) -> Vectors:
    """The question's vector, (dimensions,), moved by `step` towards the passages' mean direction; of length one.

    Rocchio 1971, "Relevance Feedback in Information Retrieval", without the passages that are not relevant: no one has
    said so of any. `liked` is (passages, dimensions).
    """
    mean = weights @ liked
    length = float(np.linalg.norm(mean))
    if length == 0:
        return question
    moved = question + step * mean / length
    return np.asarray(moved / (np.linalg.norm(moved) or 1.0), dtype=np.float32)
