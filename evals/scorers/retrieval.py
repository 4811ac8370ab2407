"""Whether the passages that the answer may draw on hold the gold evidence."""

from app.types import ChatResult
from evals.cases import Case
from evals.types import Evidence, GoldSpan


def passage_recall(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """Share of the gold spans that stand wholly in the retrieved passages, in one or in neighbouring ones."""
    if not evidence.spans:
        return None
    return sum(_covered(span, result, evidence) for span in evidence.spans) / len(evidence.spans)


def _covered(span: GoldSpan, result: ChatResult, evidence: Evidence) -> bool:
    """Whether only white space of the span is left between the passages of its document."""
    text = evidence.text_of(span.doc_id) or ""
    at = span.start
    for start, end in sorted((p.start, p.end) for p in result.passages if p.doc_id == span.doc_id):
        if start > at and text[at : min(start, span.end)].strip():
            return False
        at = max(at, end)
    return not text[at : span.end].strip() and at > span.start
