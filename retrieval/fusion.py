"""Normalised weighted averaging of several retrievers' hits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Hits:
    """Rows of an index, best first: rows (k,) int64, scores (k,) float32, higher is better."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]


def best(found: Sequence[Hits], k: int) -> Hits:
    """The best `k` of several lists of hits, ties to the lower row."""
    rows = np.concatenate([hits.rows for hits in found]) if found else np.empty(0, np.int64)
    scores = np.concatenate([hits.scores for hits in found]) if found else np.empty(0, np.float32)
    order = np.lexsort((rows, -scores))[:k]
    return Hits(rows[order], scores[order])


@dataclass(frozen=True, slots=True)
class Fused:
    """A row with its fused score in [0, 1] and the raw score of each retriever that found it."""

    row: int
    score: float
    parts: Mapping[str, float]


def fuse(hits: Mapping[str, Hits], weights: Mapping[str, float]) -> list[Fused]:
    """Average the min-max-normalised scores, best first; ties go to the lower row, so the order is total.

    Each retriever's scores are scaled to [0, 1] over its own hits; a row it did not find counts as 0 there
    (Bruch et al. 2023, "An Analysis of Fusion Functions for Hybrid Retrieval", convex combination).

    Raises:
        ValueError: A retriever has no weight, or the weights sum to nothing.
    """
    total = sum(weights[name] for name in hits)
    if hits and total <= 0:
        raise ValueError("the fusion weights sum to zero: give at least one retriever a weight")
    parts: dict[int, dict[str, float]] = {}
    for name, found in hits.items():
        for row, raw in zip(found.rows.tolist(), found.scores.tolist(), strict=True):
            parts.setdefault(row, {})[name] = raw
    rows = np.fromiter(sorted(parts), np.int64, len(parts))
    scores = np.zeros(len(rows))
    for name, found in hits.items():
        scores[np.searchsorted(rows, found.rows)] += weights[name] / total * min_max(found.scores)
    order = np.lexsort((rows, -scores))
    ranked = zip(rows[order].tolist(), np.minimum(1.0, scores[order]).tolist(), strict=True)
    return [Fused(row, score, parts[row]) for row, score in ranked]


def min_max(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Scale to [0, 1]; equal scores, a single hit among them, all become 1: they were found."""
    if scores.size == 0:
        return np.empty(0)
    values = scores.astype(np.float64)
    low, high = values.min(), values.max()
    return np.ones_like(values) if high == low else (values - low) / (high - low)
