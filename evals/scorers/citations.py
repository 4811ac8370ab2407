"""Whether citations point at the gold evidence, and whether they are what they say."""

import hashlib

from app.types import ChatResult, Citation
from evals.cases import Case
from evals.types import Evidence, GoldSpan


def citation_precision(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """Share of the answer's distinct citations that overlap a gold span. Does not apply where nothing is cited."""
    cited = _cited(result)
    if not cited or not evidence.spans:
        return None
    return sum(any(_overlap(citation, span) for span in evidence.spans) for citation in cited) / len(cited)


def citation_recall(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """Share of the gold spans that a citation overlaps; 0 for an abstention where an answer was due."""
    if not evidence.spans:
        return None
    cited = _cited(result)
    return sum(any(_overlap(citation, span) for citation in cited) for span in evidence.spans) / len(evidence.spans)


def quote_validity(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """Share of the citations whose quote is the canonical text at their offsets, and whose hash is the quote's."""
    cited = _cited(result)
    return sum(_is_valid(citation, evidence) for citation in cited) / len(cited) if cited else None


def _cited(result: ChatResult) -> tuple[Citation, ...]:
    return tuple(dict.fromkeys(citation for claim in result.claims for citation in claim.citations))


def _overlap(citation: Citation, span: GoldSpan) -> bool:
    return citation.doc_id == span.doc_id and citation.start < span.end and span.start < citation.end


def _is_valid(citation: Citation, evidence: Evidence) -> bool:
    text = evidence.text_of(citation.doc_id)
    return (
        text is not None
        and 0 <= citation.start < citation.end <= len(text)
        and text[citation.start : citation.end] == citation.quote
        and hashlib.sha256(citation.quote.encode()).hexdigest() == citation.quote_sha256
    )
