"""What a turn says in the end: its claims, or the sentence that stands in their place."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.deciding.decide import Decision
from app.deciding.wording import abstention, clarification, left_open, otherwise, topics
from app.types import Action, Claim
from retrieval.types import Passage


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer's words, and the typed result that they tell of."""

    action: Action
    answer: str
    missing: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def outcome(decision: Decision, claims: Sequence[Claim], passages: Sequence[Passage]) -> Outcome:
    """Claims first, then who says otherwise and what is missing; without claims, the question back or an abstention."""
    if decision.action is Action.CLARIFY:
        return Outcome(Action.CLARIFY, clarification(decision.options), options=decision.options)
    if not claims:
        nearest = decision.options or topics(passages)
        return Outcome(Action.ABSTAIN, abstention(nearest), options=nearest)
    against = [citation for claim in claims for citation in claim.conflicts]
    said = [*(claim.text for claim in claims), *([otherwise(against)] if against else [])]
    if decision.missing:
        return Outcome(Action.PARTLY, " ".join([*said, left_open(decision.missing)]), decision.missing)
    return Outcome(Action.ANSWER, " ".join(said))
