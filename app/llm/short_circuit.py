"""The retrieval-first short circuit: a confident extractive answer spends no call of a model."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class ShortCircuit:
    """Tells when no model has to be asked, and counts how often that was."""

    threshold: float
    asked: int = field(default=0, init=False)
    taken: int = field(default=0, init=False)
    """Calls saved, but for those turns whose extractive answer then had nothing that stood up."""

    def takes(self, sure: float) -> bool:
        """Whether the extractive answer is taken, which is right with the probability `sure`."""
        self.asked += 1
        taken = sure >= self.threshold
        self.taken += taken
        return taken
