"""The port behind which every reranker stands."""

from collections.abc import Sequence
from typing import Protocol

from retrieval.types import Passage


class Reranker(Protocol):
    """Gives passages a better order."""

    @property
    def name(self) -> str:
        """What tables call it."""
        ...

    @property
    def fingerprint(self) -> str:
        """Names weights and rule: part of the release manifest."""
        ...

    @property
    def depth(self) -> int:
        """How many of the best passages it wants to see."""
        ...

    def warm_up(self) -> None:
        """Load what the first question would otherwise wait for."""
        ...

    def rerank(self, query: str, passages: Sequence[Passage]) -> list[Passage]:
        """The same passages, best first, with scores in [0, 1] that fall along the list."""
        ...

    def within(self, timeout_s: float) -> "Reranker":
        """This reranker with so much time for one question, or less where it allows itself less."""
        ...


class KeepOrder:
    """No second look."""

    name = "none"
    fingerprint = "none"
    depth = 0

    def warm_up(self) -> None:
        """There is nothing to load."""

    def rerank(self, query: str, passages: Sequence[Passage]) -> list[Passage]:
        """The passages as they came."""
        return list(passages)

    def within(self, timeout_s: float) -> "KeepOrder":
        """It takes no time."""
        return self
