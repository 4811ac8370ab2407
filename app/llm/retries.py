"""How often a call may be made again: further attempts are paid for by calls that went well."""

import time
from collections import deque
from dataclasses import dataclass, field

from app.budget import Clock


@dataclass(slots=True)
class RetryBudget:
    """Lets further attempts be at most `ratio` times the calls that went well within a sliding window.

    Over any stretch of time, attempts <= (1 + ratio) x calls + `spare`: where a server is down and every call fails,
    retries stop, in place of doubling its load.
    """

    ratio: float = 0.1
    window_s: float = 60.0
    spare: int = 1
    """Given once, so that a program that asks one question may try it twice."""
    clock: Clock = time.monotonic
    _earned: deque[float] = field(default_factory=lambda: deque(maxlen=100_000), init=False)
    _spent: deque[float] = field(default_factory=deque, init=False)

    def earn(self) -> None:
        """A call went well."""
        self._forget()
        self._earned.append(self.clock())

    def spend(self) -> bool:
        """Whether another attempt may be made; it counts as made."""
        self._forget()
        if len(self._spent) + 1 <= self.ratio * len(self._earned) + 1e-9:
            self._spent.append(self.clock())
            return True
        if self.spare:
            self.spare -= 1
            return True
        return False

    def _forget(self) -> None:
        since = self.clock() - self.window_s
        for times in (self._earned, self._spent):
            while times and times[0] <= since:
                times.popleft()
