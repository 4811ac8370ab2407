"""What a turn took: milliseconds, tokens, dollars. Lower is better; there is no upper bound."""

from collections.abc import Mapping

from app.costs import Price, total_usd
from app.types import ChatResult
from evals.golden.cases import Case
from evals.types import Evidence, Scorer


def total_ms(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """Milliseconds of the whole turn, as the pipeline measured them."""
    return result.timings_ms.get("total")


def first_claim_ms(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """Milliseconds until the first verified claim: what a reader of a stream waits. Not where nothing was claimed."""
    return result.timings_ms.get("first_claim")


def prompt_tokens(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """Tokens that the model read; 0 where none was called."""
    return float(result.usage.prompt_tokens)


def completion_tokens(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """Tokens that the model wrote; 0 where none was called."""
    return float(result.usage.completion_tokens)


def cost_usd(prices: Mapping[str, Price]) -> Scorer:
    """A scorer: dollars of the turn by a price table. Does not apply where a provider that was called has no price."""

    def cost(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
        return total_usd(result.usage_by_provider or {result.provider: result.usage}, prices)

    return cost
