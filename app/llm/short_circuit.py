"""The retrieval-first short circuit: a confident extractive answer spends no call of a model."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from retrieval.types import Passage

Confidence = Callable[[str, Sequence[Passage]], Awaitable[float]]
"""The probability, in [0, 1], that the extractive answer to a question from these passages is right."""


@dataclass(slots=True)
class ShortCircuit:
    """Tells when no model has to be asked, and counts how often that was."""

    confidence: Confidence
    threshold: float
    asked: int = field(default=0, init=False)
    taken: int = field(default=0, init=False)
    """Calls saved, but for those turns whose extractive answer then had nothing that stood up."""

    async def takes(self, question: str, passages: Sequence[Passage]) -> bool:
        """Whether the extractive answer is taken."""
        self.asked += 1
        if await self.confidence(question, passages) < self.threshold:
            return False
        self.taken += 1
        return True
