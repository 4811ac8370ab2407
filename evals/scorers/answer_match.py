"""Whether the answer says what it must: whole words in any case, however punctuation and numbers are written."""

from app.types import ChatResult
from evals.golden.cases import Case
from evals.scorers.words import holds, normalised
from evals.types import Evidence

__all__ = ["answer_match", "normalised"]


def answer_match(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """1 when the answer holds all of `must`, or without `must` any one of `answers`, and nothing of `must_not`.

    An abstention where an answer was due is 0. Does not apply where no answer is due, or where the gold is a tool call.
    """
    gold = case.gold
    if gold.action != "answer" or not (gold.must or gold.answers):
        return None
    return float(says_right(case, result))


def says_right(case: Case, result: ChatResult) -> bool:
    """Whether an answer was given that says what the gold asks for, and nothing that it forbids."""
    if result.abstained:
        return False
    gold, said = case.gold, normalised(result.answer)
    if any(holds(said, part) for part in gold.must_not):
        return False
    if gold.must or not gold.answers:
        return all(holds(said, part) for part in gold.must)
    return any(holds(said, answer) for answer in gold.answers)
