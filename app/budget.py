"""What one turn may take, in time and money, and what it has taken: one value, handed to every call of it."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from app.costs import Price, cost_usd, total_usd
from app.types import Usage

Clock = Callable[[], float]
"""Seconds that never run backwards, such as `time.monotonic`."""


class Step(StrEnum):
    """The degradation ladder, in order: what a turn gives up first when time or money gets short."""

    SKIP_RERANK = "skip_rerank"
    FEWER_PASSAGES = "fewer_passages"
    SMALLER_MODEL = "smaller_model"
    CUT_SHORT = "cut_short"
    """The model was not done: the answer is what had been verified by then."""
    EXTRACTIVE = "extractive"
    ABSTAIN = "abstain"


@dataclass(slots=True)
class Call:
    """One call of a model. `estimated`: the provider did not say what it used, so it was counted here."""

    provider: str
    usage: Usage = field(default_factory=Usage)
    estimated: bool = False


@dataclass(slots=True)
class Budget:
    """The deadline and the cost ceiling of a turn, with the calls made and the steps taken so far."""

    deadline_s: float = math.inf
    """From the start of the turn."""
    max_cost_usd: float | None = None
    prices: Mapping[str, Price] = field(default_factory=dict)
    reserve_s: float = 0.0
    """Kept back from models, for what answers where they do not."""
    clock: Clock = time.monotonic
    calls: list[Call] = field(default_factory=list)
    degraded: list[Step] = field(default_factory=list)
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        """The time starts to run."""
        self._began = self.clock()

    def left_s(self) -> float:
        """Seconds until the deadline; 0 when it has passed."""
        return max(0.0, self.deadline_s - (self.clock() - self._began))

    def model_s(self) -> float:
        """Seconds that models may still take."""
        return max(0.0, self.left_s() - self.reserve_s)

    def share(self) -> float:
        """The part of the time that is left, in [0, 1]."""
        return 1.0 if math.isinf(self.deadline_s) else self.left_s() / self.deadline_s

    def degrade(self, step: Step) -> None:
        """Record a step down, once."""
        if step not in self.degraded:
            self.degraded.append(step)

    def begin(self, provider: str) -> Call:
        """Count a call of a model; its usage is filled in as it becomes known."""
        call = Call(provider)
        self.calls.append(call)
        return call

    def usage_by_provider(self) -> dict[str, Usage]:
        """Tokens of all calls so far, by the name of the provider that used them."""
        total: dict[str, Usage] = {}
        for call in self.calls:
            total[call.provider] = total.get(call.provider, Usage()) + call.usage
        return total

    def usage(self) -> Usage:
        """Tokens of all calls so far."""
        return sum((call.usage for call in self.calls), Usage())

    def cost_usd(self) -> float | None:
        """What the calls cost so far; None where the price of one is not known, which is never 0."""
        return total_usd(self.usage_by_provider(), self.prices)

    def affords(self, provider: str, most: Usage) -> bool:
        """Whether a call that uses at most so many tokens stays under the ceiling. Without a known price it does not.

        Args:
            provider: The name that the price table knows.
            most: The tokens of the prompt, and the bound of the draft.
        """
        if self.max_cost_usd is None:
            return True
        spent, more = self.cost_usd(), cost_usd(provider, most, self.prices)
        return spent is not None and more is not None and spent + more <= self.max_cost_usd
