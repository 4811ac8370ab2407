"""Whether the system knew that it knows, or that it does not, and how sure it seemed."""

from app.types import ChatResult
from evals.golden.cases import Case
from evals.scorers.answer_match import answer_match
from evals.types import Evidence


def abstention(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """1 when it answered what can be answered or abstained from what cannot, right or wrong the answer may be."""
    if case.gold.action not in ("answer", "abstain"):
        return None
    return float(result.abstained == (case.gold.action == "abstain"))


def right_answer_or_abstention(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """1 when it answered rightly what can be answered, or abstained from what cannot: accuracy over both."""
    if case.gold.action == "abstain":
        return float(result.abstained)
    return answer_match(case, result, evidence)


def confidence(result: ChatResult) -> float:
    """How sure the system seemed of its answer, in [0, 1]; 0 for an abstention.

    What the decision said, where a turn was weighed. Else the support of its best claim times the score of its best
    passage: the only other numbers of a result that speak of it. Good for ranking answers (`curves.risk_coverage`);
    whether it is a probability is what `curves.calibration` shows.
    """
    if result.abstained or not result.claims or not result.passages:
        return 0.0
    if result.confidence is not None:
        return result.confidence
    support = max(claim.support for claim in result.claims)
    score = max(passage.score for passage in result.passages)
    return min(1.0, max(0.0, support)) * min(1.0, max(0.0, score))
