"""Verified answers for LlamaIndex: a query engine whose source nodes are the citations of the answer's claims."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from app.answering import Answers
from app.types import ChatRequest, ChatResult, Citation, Claim
from retrieval.llama import Sourced, llama_query_engine
from retrieval.types import OPEN, Passage, Scope

if TYPE_CHECKING:
    from retrieval.llama import QueryEngine


def query_engine(answers: Answers, corpus: str, scope: Scope = OPEN) -> "QueryEngine":
    """A LlamaIndex query engine over a corpus.

    Args:
        answers: The pipeline, or what serves: `app.joining.serving.serving(services).answers`.
        corpus: Which one.
        scope: Whose documents; decided here, never by a query.

    Returns:
        A `BaseQueryEngine`. `response.source_nodes` has a node for each citation: its text is the quote; its metadata
        say where it stands, its hash, and which characters of the response (`claim_start`, `claim_end`) it supports.
        `response.metadata` says what the turn did.
    """

    async def answer(question: str) -> Sourced:
        return sourced(await answers.run(ChatRequest(question, corpus=corpus, scope=scope)))

    return llama_query_engine(answer)


def sourced(result: ChatResult) -> Sourced:
    """A result as the query engine gives it."""
    return Sourced(
        text=result.answer,
        sources=[(_passage(c, claim), _about(c, claim)) for claim in result.claims for c in claim.citations],
        metadata={
            "turn_id": result.turn_id,
            "corpus": result.corpus,
            "snapshot": result.snapshot,
            "action": str(result.action),
            "abstained": result.abstained,
            "reason": str(result.reason),
            "confidence": result.confidence,
            "missing": list(result.missing),
            "options": list(result.options),
            "cached": result.cached,
        },
    )


def _passage(citation: Citation, claim: Claim) -> Passage:
    return Passage(
        doc_id=citation.doc_id,
        uri=citation.uri,
        title=citation.title,
        snapshot=citation.snapshot,
        start=citation.start,
        end=citation.end,
        text=citation.quote,
        page=citation.page,
        section=citation.section,
        score=claim.support,
    )


def _about(citation: Citation, claim: Claim) -> Mapping[str, Any]:
    return {
        "quote_sha256": citation.quote_sha256,
        "claim": claim.text,
        "claim_start": claim.start,
        "claim_end": claim.end,
        "verdict": str(claim.verdict),
        "support": claim.support,
    }
