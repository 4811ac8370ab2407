"""Whether the system knew that it knows, or that it does not."""

from app.types import ChatResult
from evals.cases import Case
from evals.types import Evidence


def abstention(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """1 when it answered what can be answered or abstained from what cannot, right or wrong the answer may be."""
    if case.gold.action not in ("answer", "abstain"):
        return None
    return float(result.abstained == (case.gold.action == "abstain"))
