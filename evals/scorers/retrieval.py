"""Whether the passages that the answer may draw on hold the gold evidence, and how far up they stand.

A passage is relevant when it overlaps a gold span. Chunks may overlap each other, so a span that two passages hold is
found once, by the first of them.
"""

import math
from collections.abc import Sequence

from app.types import ChatResult
from evals.golden.cases import Case
from evals.types import Evidence, GoldSpan, Scorer
from retrieval.types import Passage

DEPTH = 8
"""The passages that an answer draws on by default."""


def passage_recall(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """Share of the gold spans that stand wholly in the retrieved passages, in one or in neighbouring ones."""
    if not evidence.spans:
        return None
    return sum(_covered(span, result, evidence) for span in evidence.spans) / len(evidence.spans)


def recall_at(depth: int) -> Scorer:
    """A scorer: the share of the gold spans that one of the first `depth` passages overlaps."""

    def recall(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
        if not evidence.spans:
            return None
        return sum(rank <= depth for rank in _ranks(result.passages, evidence.spans)) / len(evidence.spans)

    return recall


def ndcg_at_8(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """nDCG@8 with binary gains (Järvelin and Kekäläinen 2002): DCG is the sum of 1/log2(rank + 1).

    A passage gains where it overlaps a gold span that none above it does, so two overlapping chunks are not paid twice.
    In the ideal order these passages come first, and then one passage for each gold span that was not found.
    """
    if not evidence.spans:
        return None
    ranks = [rank for rank in _ranks(result.passages, evidence.spans) if rank <= DEPTH]
    gaining = sorted(set(ranks))
    due = min(DEPTH, len(gaining) + len(evidence.spans) - len(ranks))
    return sum(map(_discount, gaining)) / sum(map(_discount, range(1, due + 1)))


def mrr(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """1 / rank of the first relevant passage (Voorhees 1999), 0 where there is none; its mean over cases is the MRR."""
    return 1.0 / min(_ranks(result.passages, evidence.spans)) if evidence.spans else None


def context_precision(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """Average precision: the mean of precision@k over the ranks k of the relevant passages; 0 where there is none.

    The sum of precision@k x rel(k), divided by the relevant passages that were retrieved, as in ragas' context
    precision (Es et al. 2024): it tells how purely the relevant stand above the rest, not how many there are.
    """
    if not evidence.spans:
        return None
    relevant = [any(_overlap(passage, span) for span in evidence.spans) for passage in result.passages]
    ranks = [rank for rank, is_relevant in enumerate(relevant, start=1) if is_relevant]
    return sum(found / rank for found, rank in enumerate(ranks, start=1)) / len(ranks) if ranks else 0.0


def _ranks(passages: Sequence[Passage], spans: Sequence[GoldSpan]) -> list[float]:
    """For each gold span, the rank of the first passage that overlaps it, from 1; infinite where there is none."""
    return [
        next((float(rank) for rank, passage in enumerate(passages, start=1) if _overlap(passage, span)), math.inf)
        for span in spans
    ]


def _discount(rank: float) -> float:
    return 1.0 / math.log2(rank + 1)


def _overlap(passage: Passage, span: GoldSpan) -> bool:
    return passage.doc_id == span.doc_id and passage.start < span.end and span.start < passage.end


def _covered(span: GoldSpan, result: ChatResult, evidence: Evidence) -> bool:
    """Whether only white space of the span is left between the passages of its document."""
    text = evidence.text_of(span.doc_id) or ""
    at = span.start
    for start, end in sorted((p.start, p.end) for p in result.passages if p.doc_id == span.doc_id):
        if start > at and text[at : min(start, span.end)].strip():
            return False
        at = max(at, end)
    return not text[at : span.end].strip() and at > span.start
