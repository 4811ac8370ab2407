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


INTERCEPT = -8.19
WEIGHTS = Signals(sentence_cosine=5.28, passage_cosine=3.49, best_overlap=2.12, passage_coverage=3.51)
"""Fitted by benchmarks/fit_extractive.py on the tuning halves of three public sets; no reported number uses them."""


def probability(signals: Signals) -> float:
    """The probability that a sentence among the passages answers the question."""
    total = INTERCEPT + sum(w * x for w, x in zip(astuple(WEIGHTS), astuple(signals), strict=True))
    return 1 / (1 + math.exp(-total))
