"""Why an answer says what it says: which passage carries which claim, found by leaving each passage out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.budget import Budget
from app.grounding.verify import Grounding
from app.llm.port import DraftRequest
from app.pipeline import ChatPipeline, unrecorded
from app.sentences import sentences
from app.types import ChatRequest, Claim
from retrieval.explain import Explanation, explain
from retrieval.types import Found, Passage

MAX_REDRAFTS = 16
"""Passages that are withheld one by one from the answerer, the best ones."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What one passage does for one claim. Supports are in [0, 1]; None: the claim does not stand.

    `alone` is the claim's support from this passage only, `without` its support from all the others: where that is
    None, the claim stands or falls with the passage.
    """

    alone: float | None
    without: float | None
    cited: bool


@dataclass(frozen=True, slots=True)
class Redraft:
    """What the answerer says when a passage is withheld."""

    same: bool
    lost: tuple[int, ...]
    """Claims, counted from 0, that are no longer made."""
    gained: tuple[str, ...]
    abstains: bool


@dataclass(frozen=True, slots=True)
class AnswerExplained:
    """A turn's search, its claims, and what each passage did for each of them."""

    search: Explanation
    claims: tuple[Claim, ...]
    passages: tuple[Passage, ...]
    """What the answer could draw on, in the order of `search.passages`."""
    carried: tuple[tuple[Carried, ...], ...]
    """By claim, then by passage."""
    redrafts: tuple[Redraft, ...]
    """Of the first passages; none where the answer is a model's, whose draft cannot be had again for nothing."""
    source: str
    """Where the claims are from."""


async def explain_answer(
    pipeline: ChatPipeline, asked: ChatRequest, said: Sequence[Claim] | str | None, provider: str = ""
) -> AnswerExplained:
    """Search again in the request's snapshot, and leave each passage out in turn. Nothing is recorded.

    Args:
        pipeline: What answered.
        asked: The request; its scope should name the snapshot that answered.
        said: The claims of the answer, or its text; None has the question answered anew.
        provider: What wrote the answer.

    Raises:
        CorpusError: As `Retriever.search`.
    """
    k = pipeline.settings.passages
    understood = await pipeline.understand(asked, Budget())
    search = await explain(pipeline.retriever, understood.query, asked.corpus, k, asked.scope)
    found = Found(search.snapshot, tuple(explained.passage for explained in search.passages))
    passages = (await pipeline.second_look(found, asked.corpus, asked.scope)).passages
    search = replace(search, passages=tuple(e for e in search.passages if e.passage in passages))
    source = "the turn"
    if said is None:
        result = await replace(pipeline, record=unrecorded).run(asked)
        said, provider, source = result.claims, result.provider, "the question, answered anew"
    claims = _claims(said, pipeline.grounding, passages) if isinstance(said, str) else tuple(said)
    redrafts: tuple[Redraft, ...] = ()
    if pipeline.provider.name == pipeline.fallback.name == provider:
        tried = range(min(len(passages), MAX_REDRAFTS))
        redrafts = tuple([await _redraft(pipeline, asked, claims, passages, left) for left in tried])
    return AnswerExplained(search, claims, passages, carried(pipeline.grounding, claims, passages), redrafts, source)


def _claims(answer: str, grounding: Grounding, passages: Sequence[Passage]) -> tuple[Claim, ...]:
    """The claims of an answer whose text was kept: its sentences, verified once more."""
    stated = ((span, grounding.verify(answer[span.start : span.end], passages)) for span in sentences(answer))
    return tuple(replace(claim, start=span.start, end=span.start + len(claim.text)) for span, claim in stated if claim)


def carried(
    grounding: Grounding, claims: Sequence[Claim], passages: Sequence[Passage]
) -> tuple[tuple[Carried, ...], ...]:
    """By claim and passage, what the passage does for the claim."""
    return tuple(tuple(_carried(grounding, claim, passages, left) for left in range(len(passages))) for claim in claims)


def _carried(grounding: Grounding, claim: Claim, passages: Sequence[Passage], left: int) -> Carried:
    own = passages[left]
    alone = _support(grounding.verify(claim.text, [own]))
    cited = any(_holds(own, citation.doc_id, citation.start, citation.end) for citation in claim.citations)
    # Verification takes the passage that supports a claim best: leaving out another one changes nothing.
    without: float | None = claim.support
    if cited or (alone is not None and alone >= claim.support):
        without = _support(grounding.verify(claim.text, [*passages[:left], *passages[left + 1 :]]))
    return Carried(alone, without, cited)


async def _redraft(
    pipeline: ChatPipeline, asked: ChatRequest, claims: Sequence[Claim], passages: tuple[Passage, ...], left: int
) -> Redraft:
    others = (*passages[:left], *passages[left + 1 :])
    question = (await pipeline.understand(asked, Budget())).question
    request = DraftRequest(question, asked.history, others, pipeline.max_tokens)
    said = [claim.text for claim in await pipeline.claims(pipeline.fallback, request)]
    known = [claim.text for claim in claims]
    return Redraft(
        same=said == known,
        lost=tuple(number for number, text in enumerate(known) if text not in said),
        gained=tuple(text for text in said if text not in known),
        abstains=not said,
    )


def _support(claim: Claim | None) -> float | None:
    return claim.support if claim else None


def _holds(passage: Passage, doc_id: str, start: int, end: int) -> bool:
    return passage.doc_id == doc_id and passage.start <= start and end <= passage.end
