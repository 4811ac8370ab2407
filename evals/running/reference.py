"""A fixed piece of arithmetic, timed in mid-run: tells a slower release from a busier machine."""

import hashlib
import statistics
import time

SHARE = 0.02
"""Of a run's time that measuring may take."""

_BLOCK = bytes(4 * 1024 * 1024)


class Reference:
    """Hashes a block of memory now and then.

    One thread and no numerical library: a matrix product would wait for the threads of the very models that are
    measured, and tell more of them than of the machine.
    """

    def __init__(self) -> None:
        self._next = time.perf_counter()
        self._times_ms: list[float] = []

    def tick(self) -> None:
        """Called after each case; measures where the last time is long enough ago."""
        began = time.perf_counter()
        if began < self._next:
            return
        hashlib.sha256(_BLOCK).digest()
        seconds = time.perf_counter() - began
        self._times_ms.append(seconds * 1000)
        self._next = began + seconds / SHARE

    @property
    def median_ms(self) -> float | None:
        """The median of what was measured, or None where nothing was."""
        return round(statistics.median(self._times_ms), 4) if self._times_ms else None
