"""Whether what is claimed stands in what is cited, and how much of a draft did not."""

from app.types import ChatResult
from evals.golden.cases import Case
from evals.scorers.support import is_supported
from evals.types import Evidence


def claims_supported(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """Share of the claims that the canonical characters they cite support. Does not apply without claims."""
    if not result.claims:
        return None
    return sum(is_supported(claim, evidence) for claim in result.claims) / len(result.claims)


def dropped_share(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """Share of the drafted sentences that did not stand up against the passages and were left out; lower is better."""
    drafted = len(result.claims) + len(result.dropped)
    return len(result.dropped) / drafted if drafted else None
