"""A fixed piece of arithmetic, timed in mid-run: tells a slower release from a busier machine."""

import statistics
import time

import numpy as np

EVERY = 10
"""Cases between two measurements: one takes some milliseconds."""

_SIDE = 384


class Reference:
    """Times a matrix product now and then."""

    def __init__(self) -> None:
        self._matrix = np.random.default_rng(1).standard_normal((_SIDE, _SIDE), dtype=np.float32)
        self._seen = 0
        self._times_ms: list[float] = []

    def tick(self) -> None:
        """Called after each case; measures at every tenth."""
        if self._seen % EVERY == 0:
            began = time.perf_counter()
            product = self._matrix
            for _ in range(8):
                product = self._matrix @ product
                product /= np.abs(product).max()
            self._times_ms.append((time.perf_counter() - began) * 1000)
        self._seen += 1

    @property
    def median_ms(self) -> float | None:
        """The median of what was measured, or None where nothing was."""
        return round(statistics.median(self._times_ms), 4) if self._times_ms else None
