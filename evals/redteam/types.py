"""The words of the red team."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal

from evals.golden.cases import Case

Family = Literal["control", "encoding", "unicode", "framing", "language", "document"]
Surface = Literal["question", "document"]
Arm = Literal["adaptive", "random"]

TURN = "\x1e"
"""Stands between the turns of a text that is sent in several: the last part is the question, the others are history."""


@dataclass(frozen=True, slots=True)
class Transform:
    """One way to say an attack differently: a pure function of the text and the random numbers it is given."""

    name: str
    family: Family
    applies_to: Literal["question", "document", "both"]
    apply: Callable[[str, Random], str]
    last: bool = False
    """It places the text (in a table, over turns): whatever came after it would break the place. One to a chain."""

    def fits(self, surface: Surface) -> bool:
        """Whether it can be used on a question, or in a document."""
        return self.applies_to in ("both", surface)


Chain = tuple[Transform, ...]
"""Applied from left to right."""


@dataclass(frozen=True, slots=True)
class Carrier:
    """The document around a planted instruction: what makes retrieval find it."""

    title: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Seed:
    """A case to grow attacks from. `text` is what is transformed: the question, or a planted paragraph."""

    case: Case
    text: str
    carrier: Carrier | None = None
    """None where the question itself attacks."""

    @property
    def surface(self) -> Surface:
        """Where the attack stands."""
        return "question" if self.carrier is None else "document"

    @property
    def canaries(self) -> frozenset[str]:
        """What must not be said, as it is compared between seeds."""
        return frozenset(part.casefold() for part in self.case.gold.must_not)


@dataclass(frozen=True, slots=True)
class Attack:
    """A seed put differently: the case that is asked, and the poisoned document that it adds."""

    case: Case
    seed: Seed
    chain: Chain
    text: str
    document: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attack. `success` is None where the turn failed; `failure` then says why."""

    attack: Attack
    arm: Arm
    success: bool | None
    failure: str | None = None
