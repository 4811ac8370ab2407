"""Whether the passages answer the question at all: a logistic model over a handful of signals."""

import math
from dataclasses import astuple, dataclass


@dataclass(frozen=True, slots=True)
class Signals:
    """What speaks for an answer being there. All in [0, 1], cosines in [-1, 1]."""

    sentence_cosine: float
    passage_cosine: float
    best_overlap: float
    passage_coverage: float


INTERCEPT = -4.0
WEIGHTS = Signals(sentence_cosine=5.0, passage_cosine=2.0, best_overlap=2.0, passage_coverage=1.0)
"""Fitted by benchmarks/answerable.py on public sets that no reported number uses; docs/benchmarks.md has the table."""


def probability(signals: Signals) -> float:
    """The probability that a sentence among the passages answers the question."""
    total = INTERCEPT + sum(w * x for w, x in zip(astuple(WEIGHTS), astuple(signals), strict=True))
    return 1 / (1 + math.exp(-total))
