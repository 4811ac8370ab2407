"""A circuit breaker: a model that keeps failing is left alone for a while, then tried with one call.

pybreaker was looked at: its asynchronous calls want tornado, its context manager holds a thread lock and counts a
cancelled call as a failure, and it reads the wall clock.
"""

import time
from dataclasses import dataclass, field

from app.budget import Clock


@dataclass(slots=True)
class Breaker:
    """Opens after `failures` in a row, for `open_s` seconds; then one call at a time may prove that all is well."""

    failures: int = 5
    open_s: float = 10.0
    clock: Clock = time.monotonic
    _in_a_row: int = field(default=0, init=False)
    _opened: float = field(default=0.0, init=False)
    _probing: bool = field(default=False, init=False)

    @property
    def is_open(self) -> bool:
        """Whether calls are held back now."""
        return self._in_a_row >= self.failures and (self._probing or self.clock() - self._opened < self.open_s)

    def enter(self) -> bool:
        """Ask for a call; after True, one of `worked`, `failed` or `let_go` must follow."""
        if self.is_open:
            return False
        self._probing = self._in_a_row >= self.failures
        return True

    def worked(self) -> None:
        """The call went well."""
        self._in_a_row, self._probing = 0, False

    def failed(self) -> None:
        """The call failed."""
        self._in_a_row, self._probing = self._in_a_row + 1, False
        if self._in_a_row >= self.failures:
            self._opened = self.clock()

    def let_go(self) -> None:
        """The call ended without saying anything about the model: nobody waited for it any longer."""
        self._probing = False
