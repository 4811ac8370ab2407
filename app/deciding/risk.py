"""Thresholds with a stated risk: conformal risk control for answers that are wrong.

The loss of a question at threshold t is 1 where it is answered (its probability is at least t) and the answer is
wrong, else 0: it can only fall as t rises, and is at most 1. Of n cases, A(t) are answered and W(t) of these wrongly.
Conformal risk control (Angelopoulos et al. 2022, "Conformal risk control", theorem 1) bounds the expected loss of a
fresh question by (W(t) + 1) / (n + 1). Here that bound is held not to the target itself but to the target's share of
what is answered: t is the lowest threshold at which W(t) + 1 <= target * A(t).

Two things follow for questions exchangeable with the cases:
- a fresh question is answered wrongly with probability at most the target, by that theorem, as t is at least the
  threshold which it chooses at the same target;
- among n fresh questions, the expected number of wrong answers over the number that was answered among the cases is at
  most the target. W_fresh(t) / (1 + W(t)) is a supermartingale as t rises (wrong cases, old and fresh, are
  exchangeable), it begins at no more than 1 in expectation, and t is chosen by a rule that stops it (the argument of
  Storey, Taylor and Siegmund 2004, and Barber and Candès 2015, for false discoveries).
The second is what users mean by risk, the share of answers that are wrong; it holds on average over draws of cases,
not for each draw, and not for questions of another kind than the cases.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

NEVER = 1.1
"""A threshold that no probability reaches."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """Answer from `value` on. Of the n cases, so many are answered at it, and so many of these wrongly."""

    value: float
    n: int
    answered: int
    wrong: int

    @property
    def coverage(self) -> float:
        """Share of the cases that are answered."""
        return self.answered / self.n if self.n else 0.0

    @property
    def bound(self) -> float:
        """What the rule holds to the target: (wrong + 1) / answered."""
        return (self.wrong + 1) / self.answered if self.answered else 0.0


def threshold(probabilities: ArrayLike, wrong: ArrayLike, target: float) -> Threshold:
    """The lowest threshold at which (wrong + 1) / answered is at most `target`; `NEVER` where there is none.

    Args:
        probabilities: Of each case that its answer is right.
        wrong: Whether the answer of each case is wrong, or would be.
        target: In (0, 1). No threshold can meet it with fewer than 1 / target cases.
    """
    found, errors = np.asarray(probabilities, dtype=float), np.asarray(wrong, dtype=bool)
    if not len(found):
        return Threshold(NEVER, 0, 0, 0)
    order = np.argsort(-found, kind="stable")
    values, answered, failed = found[order], np.arange(1, len(found) + 1), np.cumsum(errors[order])
    last_of_ties = np.append(values[1:] < values[:-1], True)
    allowed = np.flatnonzero(last_of_ties & (failed + 1 <= target * answered))
    if not len(allowed):
        return Threshold(NEVER, len(found), 0, 0)
    at = allowed[-1]
    return Threshold(float(values[at]), len(found), int(answered[at]), int(failed[at]))
