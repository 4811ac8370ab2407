"""The retrieval-first short circuit: a confident extractive answer spends no call of a model."""

import asyncio
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

    async def takes(self, question: str, passages: Sequence[Passage], within_s: float) -> bool:
        """Whether the extractive answer is taken; it is not where that cannot be told in time."""
        self.asked += 1
        try:
            async with asyncio.timeout(within_s):
                sure = await self.confidence(question, passages) >= self.threshold
        except TimeoutError:
            return False
        self.taken += sure
        return sure
