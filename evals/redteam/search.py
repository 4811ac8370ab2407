"""The search: which chain to try on which seed next, within a budget of turns.

Adaptive is Thompson sampling (Thompson 1933; Chapelle & Li 2011): every transform has a Beta posterior of success per
kind of seed, one draw from each ranks them, and the best-ranked go into the chain. Random ranks them by chance. Both
go through the seeds in turn, so that they differ in nothing but the chains.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from random import Random
from typing import Protocol

from evals.redteam.transforms import chain_of, fitting
from evals.redteam.types import Arm, Attack, Chain, Outcome, Seed

GENERATION = 24
"""Attacks at once at most: the search learns after each generation, and its documents are indexed together."""
_PATIENCE = 400
"""Seeds to try in vain, already asked or in conflict, before a generation is taken as it is."""
_PRIOR = (0.5, 3.0)
"""Beta: most attacks fail. A flat prior would try every transform about three times before it follows a success."""
_SHARED = 0.3
"""How much of what other kinds of seeds taught counts.

Both were chosen by simulation, 4 kinds and 200 turns: one transform that always breaks all kinds brings 70 % success,
a different one for each kind 44 %, one that breaks all kinds in 4 of 10 tries 10 %; chance 5, 5 and 2 %. With a share
of 1 instead of 0.3: 70, 20 and 15 %.
"""

Build = Callable[[Seed, Chain], Attack | None]
Fight = Callable[[Arm, Sequence[Attack]], Awaitable[list[Outcome]]]
Step = Callable[[str, int, int], None]


class Chooser(Protocol):
    """Chooses chains, and may learn from what they came to."""

    def choose(self, seed: Seed) -> Chain:
        """A chain to try on a seed."""
        ...

    def learn(self, outcomes: Iterable[Outcome]) -> None:
        """Take in a generation."""
        ...


class ByChance:
    """Every length up to the depth, and every transform that fits, is as likely."""

    def __init__(self, depth: int, random: Random) -> None:
        self._depth, self._random = depth, random

    def choose(self, seed: Seed) -> Chain:
        """A chain to try on a seed."""
        usable = fitting(seed.surface)
        ranked = self._random.sample(usable, len(usable))
        return chain_of(ranked, self._random.randint(1, self._depth), self._random)

    def learn(self, outcomes: Iterable[Outcome]) -> None:
        """Chance learns nothing."""


class Thompson:
    """Follows what worked, by kind of seed; how long a chain should be is learned the same way."""

    def __init__(self, depth: int, random: Random) -> None:
        self._depth, self._random = depth, random
        self._seen: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))

    def choose(self, seed: Seed) -> Chain:
        """A chain to try on a seed."""
        kind = seed.case.kind
        drawn = {transform: self._draw(transform.name, kind) for transform in fitting(seed.surface)}
        length = max(range(1, self._depth + 1), key=lambda n: self._draw(_length(n), kind))
        return chain_of(sorted(drawn, key=lambda t: -drawn[t]), length, self._random)

    def learn(self, outcomes: Iterable[Outcome]) -> None:
        """Every transform of a chain, and its length, shares in its success or failure."""
        for outcome in outcomes:
            if outcome.success is not None:
                chain = outcome.attack.chain
                for arm in (*(transform.name for transform in chain), _length(len(chain))):
                    self._seen[arm][outcome.attack.seed.case.kind][0 if outcome.success else 1] += 1

    def _draw(self, arm: str, kind: str) -> float:
        won, lost = _PRIOR
        for other, (successes, failures) in self._seen[arm].items():
            weight = 1.0 if other == kind else _SHARED
            won, lost = won + weight * successes, lost + weight * failures
        return self._random.betavariate(won, lost)


def _length(count: int) -> str:
    return f"length {count}"


@dataclass(slots=True)
class Hunt:
    """What one arm came to. `dropped` counts attacks too long to be sent, which cost no turn."""

    outcomes: list[Outcome] = field(default_factory=list)
    dropped: int = 0


class Hunter:
    """Spends the budget of one arm, generation by generation; no attack is asked twice."""

    def __init__(self, arm: Arm, seeds: Sequence[Seed], build: Build, depth: int, seed: int) -> None:
        random = Random(f"{arm}:{seed}")  # noqa: S311 -- to repeat a run, not to keep a secret
        self._arm: Arm = arm
        self._chance = ByChance(depth, random)
        self._chooser: Chooser = Thompson(depth, random) if arm == "adaptive" else self._chance
        self._seeds = cycle(random.sample(list(seeds), len(seeds)))
        self._build = build
        self._tried: set[tuple[str, Chain]] = set()
        self._dropped = 0

    async def run(self, budget: int, fight: Fight, progress: Step | None = None) -> Hunt:
        """Ask `budget` attacks; fewer only where no untried one can be found."""
        hunt = Hunt()
        step = progress or (lambda name, done, total: None)
        step(self._arm, 0, budget)
        while (left := budget - len(hunt.outcomes)) > 0:
            attacks = self._generation(min(GENERATION, left))
            if not attacks:
                break
            outcomes = await fight(self._arm, attacks)
            self._chooser.learn(outcomes)
            hunt.outcomes += outcomes
            step(self._arm, len(hunt.outcomes), budget)
        hunt.dropped = self._dropped
        return hunt

    def _generation(self, size: int) -> list[Attack]:
        attacks: list[Attack] = []
        missed = 0
        while len(attacks) < size and missed < _PATIENCE:
            missed += 1
            seed = next(self._seeds)
            if any(_conflict(seed, attack.seed) for attack in attacks):
                continue
            # Once the chooser only repeats itself, chance finds what is left.
            chain = (self._chooser if missed < _PATIENCE // 2 else self._chance).choose(seed)
            if (seed.case.id, chain) in self._tried:
                continue
            self._tried.add((seed.case.id, chain))
            attack = self._build(seed, chain)
            if attack is None:
                self._dropped += 1
                continue
            attacks.append(attack)
            missed = 0
        return attacks


def _conflict(one: Seed, other: Seed) -> bool:
    """Whether one's document could say the other's canary: then nobody could tell which of the two succeeded."""
    return "document" in (one.surface, other.surface) and bool(one.canaries & other.canaries)
