"""A fixed piece of arithmetic, timed in mid-run: tells a slower release from a busier machine."""

import statistics
import time

import numpy as np

SHARE = 0.02
"""Of a run's time that measuring may take."""

_SIDE = 384


class Reference:
    """Times a matrix product now and then."""

    def __init__(self) -> None:
        self._matrix = np.random.default_rng(1).standard_normal((_SIDE, _SIDE), dtype=np.float32)
        self._next = time.perf_counter()
        self._times_ms: list[float] = []

    def tick(self) -> None:
        """Called after each case; measures where the last time is long enough ago."""
        began = time.perf_counter()
        if began < self._next:
            return
        product = self._matrix
        for _ in range(8):
            product = self._matrix @ product
            product /= np.abs(product).max()
        seconds = time.perf_counter() - began
        self._times_ms.append(seconds * 1000)
        self._next = began + seconds / SHARE

    @property
    def median_ms(self) -> float | None:
        """The median of what was measured, or None where nothing was."""
        return round(statistics.median(self._times_ms), 4) if self._times_ms else None
