"""Whether citations point at the gold evidence, support what they are cited for, and are what they say."""

import hashlib
from collections.abc import Iterable

from app.types import ChatResult, Citation
from evals.golden.cases import Case
from evals.scorers.support import cited_text, is_supported, supported
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


def span_f1(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """F1 of the cited characters against those of the gold spans: 2 |both| / (|cited| + |gold|).

    Precision and recall in characters come together in it; an abstention where an answer was due is 0.
    """
    gold = _characters(evidence.spans)
    if not gold:
        return None
    cited = _characters(_cited(result))
    return 2 * len(gold & cited) / (len(gold) + len(cited))


def citation_recall_alce(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """Share of the claims that the union of their citations fully supports (ALCE: Gao et al. 2023, section 3).

    ALCE asks a language model for entailment; here it is `support.supported`. Does not apply without claims.
    """
    if not result.claims:
        return None
    return sum(bool(claim.citations) and is_supported(claim, evidence) for claim in result.claims) / len(result.claims)


def citation_precision_alce(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """Share of the citations that are precise (ALCE: Gao et al. 2023, section 3). Does not apply without citations.

    A citation is precise when all citations of its claim support the claim, and it is not irrelevant: irrelevant is one
    that does not support the claim alone, while the others support it without it.
    """
    precise: list[bool] = []
    for claim in result.claims:
        texts = [cited_text(citation, evidence) for citation in claim.citations]
        whole = supported(claim.text, texts)
        for at, text in enumerate(texts):
            others = texts[:at] + texts[at + 1 :]
            precise.append(whole and (supported(claim.text, [text]) or not supported(claim.text, others)))
    return sum(precise) / len(precise) if precise else None


def _characters(spans: Iterable[Citation | GoldSpan]) -> set[tuple[str, int]]:
    return {(span.doc_id, at) for span in spans for at in range(span.start, span.end)}


def _cited(result: ChatResult) -> tuple[Citation, ...]:
    return tuple(dict.fromkeys(citation for claim in result.claims for citation in claim.citations))


def _overlap(citation: Citation, span: GoldSpan) -> bool:
    return citation.doc_id == span.doc_id and citation.start < span.end and span.start < citation.end


def whole_quotes(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """Share of the citations that begin and end between words of their source: a cut word is a wrong offset."""
    quotes = _cited(result)
    return sum(_is_whole(citation, evidence) for citation in quotes) / len(quotes) if quotes else None


def _is_whole(citation: Citation, evidence: Evidence) -> bool:
    text = evidence.text_of(citation.doc_id) or ""
    edges = (citation.start, citation.end)
    return not any(0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum() for at in edges)


def _is_valid(citation: Citation, evidence: Evidence) -> bool:
    text = evidence.text_of(citation.doc_id)
    return (
        text is not None
        and 0 <= citation.start < citation.end <= len(text)
        and text[citation.start : citation.end] == citation.quote
        and hashlib.sha256(citation.quote.encode()).hexdigest() == citation.quote_sha256
    )
