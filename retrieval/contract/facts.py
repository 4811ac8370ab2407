"""What rules look at: the documents of a corpus with their labels and profiles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from retrieval.contract.profile import Profile, quantity
from retrieval.types import Labels


@dataclass(frozen=True, slots=True)
class Fact:
    """One document."""

    uri: str
    labels: Labels
    profile: Profile


@dataclass(frozen=True, slots=True)
class Facts:
    """All documents."""

    all: Sequence[Fact]

    def numbers(self) -> Mapping[str, list[float]]:
        """Numbers by what they measure: an attribute's name in quotes ("180 cm" is 180), or a unit of the texts."""
        found: dict[str, list[float]] = {}
        for fact in self.all:
            for name, value in fact.labels.attributes.items():
                number = quantity(value) if isinstance(value, str) else value
                if isinstance(number, int | float) and not isinstance(number, bool):
                    found.setdefault(f"'{name}'", []).append(float(number))
            for unit, values in fact.profile.numbers.items():
                found.setdefault(unit, []).extend(values)
        return found

    def naming(self, unit: str) -> list[Fact]:
        """The documents whose text has a number in a unit."""
        return [fact for fact in self.all if unit in fact.profile.numbers]


@dataclass(frozen=True, slots=True)
class Found:
    """What breaks a rule. `of` counts the documents that were looked at one by one, so that some may be forgiven."""

    message: str
    uris: tuple[str, ...] = ()
    of: int = 0
    count: int = 0

    def __post_init__(self) -> None:
        if not self.count:
            object.__setattr__(self, "count", len(self.uris))
