"""Whether the probabilities of recent turns still look like those of the cases that a threshold was fitted on."""

import threading
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

WINDOW = 500
"""Turns of a corpus that are looked back on."""
ENOUGH = 100
"""Turns before anything is said of them."""
ALERT = 0.25
"""Population stability index from which on a distribution counts as another one, by custom."""
_BINS = 10
_SMOOTH = 0.5


def stability_index(expected: Sequence[float], found: Sequence[float]) -> float:
    """The population stability index over tenths of `expected`, at least 0; half a count is added to each bin.

    Raises:
        ValueError: One of them is empty.
    """
    if not len(expected) or not len(found):
        raise ValueError("nothing to compare")
    cuts = np.unique(np.quantile(np.asarray(expected, dtype=float), np.linspace(0, 1, _BINS + 1)[1:-1]))
    then, now = _shares(expected, cuts), _shares(found, cuts)
    return float(np.sum((now - then) * np.log(now / then)))


def _shares(values: Sequence[float], cuts: NDArray[np.float64]) -> NDArray[np.float64]:
    counts = np.bincount(np.searchsorted(cuts, np.asarray(values, dtype=float), side="right"), minlength=len(cuts) + 1)
    return np.asarray((counts + _SMOOTH) / (len(values) + _SMOOTH * (len(cuts) + 1)), dtype=np.float64)


class Watch:
    """The probabilities of the last turns of one corpus. Safe to use from several threads."""

    def __init__(self, expected: Sequence[float]) -> None:
        self._expected = list(expected)
        self._recent: deque[float] = deque(maxlen=WINDOW)
        self._told = False
        self._lock = threading.Lock()

    def saw(self, probability: float) -> float | None:
        """Keep one; the index where it has just risen over `ALERT`, else None. After it has fallen, it may again."""
        with self._lock:
            self._recent.append(probability)
            if len(self._recent) < ENOUGH or len(self._recent) % 10:
                return None
            index = stability_index(self._expected, list(self._recent))
            told, self._told = self._told, index > ALERT
            return index if self._told and not told else None
