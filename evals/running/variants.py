"""The simpler things that a candidate must beat: each is a value put in place of a part, not a flag inside a step."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace

from app.deciding.wording import ABSTENTION
from app.pipeline import ChatPipeline, unrecorded
from app.types import Action, ChatRequest, ChatResult, Reason, Usage
from evals.running.runner import Ask
from retrieval.search import BM25, Retriever

CANDIDATE = "candidate"


def always_abstain(pipeline: ChatPipeline) -> Ask:
    """Says "I don't know" to everything, at once. What abstaining alone is worth."""

    async def ask(request: ChatRequest) -> ChatResult:
        snapshot, _ = pipeline.retriever.reader.current(request.corpus)
        return ChatResult(
            turn_id=uuid.uuid4().hex,
            question=request.question,
            answer=ABSTENTION,
            abstained=True,
            action=Action.ABSTAIN,
            reason=Reason.NOT_COVERED,
            claims=(),
            dropped=(),
            passages=(),
            corpus=request.corpus,
            snapshot=snapshot,
            provider="always_abstain",
            usage=Usage(),
            timings_ms={"total": 0.0},
        )

    return ask


def bm25_only(pipeline: ChatPipeline) -> Ask:
    """The pipeline without vectors and without a second look."""
    return _with(pipeline, pipeline.retriever.only(BM25))


def dense_only(pipeline: ChatPipeline) -> Ask:
    """The pipeline without BM25 and without a second look."""
    return _with(pipeline, pipeline.retriever.only(*(embedder.name for embedder in pipeline.retriever.embedders)))


def _with(pipeline: ChatPipeline, retriever: Retriever) -> Ask:
    return replace(pipeline, retriever=retriever, record=unrecorded).run


BASELINES: Mapping[str, Callable[[ChatPipeline], Ask]] = {
    "always_abstain": always_abstain,
    "bm25_only": bm25_only,
    "dense_only": dense_only,
}
