"""Search one snapshot: BM25 and vectors, fused and reranked, as passages with their score parts. Reading only."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace

from retrieval.diversity import spread, without_duplicates
from retrieval.embedders.port import Embedder, Vectors
from retrieval.errors import IndexOutdated
from retrieval.feedback import liking, towards
from retrieval.fusion import Fused, Hits, fuse
from retrieval.index.port import ChunkPlace, SnapshotIndex
from retrieval.query import language, vector, weighted_words
from retrieval.reader import Reader
from retrieval.rerankers.port import KeepOrder, Reranker
from retrieval.types import OPEN, Found, Passage, Query, Scope

BM25 = "bm25"
"""The name of the word index among the parts."""
Span = tuple[str, int, int]
"""(doc_id, start, end) of a passage."""


@dataclass(frozen=True, slots=True)
class Steps:
    """What each step of one search found, in order; `retrieval.explain` reads it, a search only the last one."""

    snapshot: str
    index: SnapshotIndex
    hits: Mapping[str, Hits]
    """By part, as the index gave them."""
    weights: Mapping[str, float]
    """By part, as they were fused; they need not sum to one."""
    fused: Sequence[Fused]
    first: Sequence[Passage]
    """The best of the first stage, without duplicates: what the reranker was shown."""
    rows: Mapping[Span, int]
    """Of those."""
    reranked: Sequence[Passage]
    final: tuple[Passage, ...]
    moved: bool = False
    """Whether these are the steps of a second search, nearer to what the reranker liked in the first one."""


@dataclass(frozen=True, slots=True)
class Retriever:
    """Finds passages: BM25 and every embedder, fused; then the reranker's second look. A value: variants are copies."""

    reader: Reader
    embedders: tuple[Embedder, ...]
    executor: Executor
    """Where a search runs, off the event loop."""
    lookups: Executor
    """Where the index is asked about one vector while the next one is computed; other threads than the executor's."""
    candidates: int = 100
    weights: Mapping[str, float] = field(default_factory=dict)
    """By part, "bm25" or an embedder's name; a part that is not named weighs 1, one that weighs 0 is not asked."""
    reranker: Reranker = field(default_factory=KeepOrder)
    duplicate_similarity: float | None = None
    """From this Jaccard index of 5-word shingles on, a passage that repeats a better one is left out; None: never."""
    diversity: float = 0.0
    """How much likeness to better passages counts against a passage (MMR); 0: not at all."""
    feedback: float = 0.0
    """How far the question's vectors move towards what the reranker liked, for a second search; 0: there is none."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the first stage that count."""
        names = (BM25, *(embedder.name for embedder in self.embedders))
        return tuple(name for name in names if self.weights.get(name, 1.0) > 0)

    def only(self, *parts: str) -> "Retriever":
        """This retriever with these parts of the first stage alone, without a second look."""
        others = dict.fromkeys(set(self.parts) - set(parts), 0.0)
        return replace(self, weights={**self.weights, **others}, reranker=KeepOrder())

    def warm_up(self) -> None:
        """Load the models.

        Raises:
            ModelMissing: Weights are absent or not the recorded ones.
        """
        for embedder in self.embedders:
            embedder.embed_query("warm up")
        self.reranker.warm_up()

    async def search(self, query: Query | str, corpus: str, k: int, scope: Scope = OPEN) -> Found:
        """The best `k` passages that `scope` admits, best first; models and index work off the event loop.

        Raises:
            CorpusNotFound: Nothing has been ingested into the corpus.
            SnapshotNotFound: The scope names a snapshot that the corpus does not have.
            IndexMissing: The snapshot is known, its index was removed.
            IndexOutdated: It was ingested with other embedders.
        """
        asked = Query(query) if isinstance(query, str) else query
        steps = await asyncio.get_running_loop().run_in_executor(self.executor, self.steps, asked, corpus, k, scope)
        return Found(steps.snapshot, steps.final)

    def steps(self, query: Query, corpus: str, k: int, scope: Scope) -> Steps:
        """Search, and keep what every step found. Raises as `search` does."""
        snapshot, index = self.reader.at(corpus, scope.snapshot)
        depth = max(k, self.candidates)
        hits, questions = self._hits(query, index, corpus, depth, scope)
        steps = self._look(query, Looked(snapshot, index, hits), k)
        moved = self._moved(index, questions, steps)
        if not moved:
            return steps
        nearer = self._nearest(index, moved, depth, scope)
        known = {span(passage): scores for passage in steps.reranked if (scores := _second(passage, hits))}
        asked = {name: questions[name] for name in moved}
        return replace(self._look(query, Looked(snapshot, index, hits | nearer, known, asked), k), moved=True)

    def _hits(
        self, query: Query, index: SnapshotIndex, corpus: str, depth: int, scope: Scope
    ) -> tuple[dict[str, Hits], dict[str, Vectors]]:
        """What each part finds, and the question's vectors.

        Embedders that never learnt the question's language are asked if words find nothing.
        """
        found: dict[str, Hits] = {}
        if BM25 in self.parts:
            found[BM25] = index.matching(weighted_words(query), depth, scope)
        words_found = BM25 in found and len(found[BM25].rows) > 0
        spoken = language(query)
        questions: dict[str, Vectors] = {}
        asked: dict[str, Future[Hits]] = {}
        for embedder in self.embedders:
            name = embedder.name
            if name not in self.parts:
                continue
            if name not in index.embedders:
                raise IndexOutdated(corpus, f"vectors of {name}")
            if not words_found or not embedder.languages or spoken in embedder.languages:
                questions[name] = vector(query, embedder)
                asked[name] = self.lookups.submit(index.nearest, name, questions[name], depth, scope)
        return found | {name: hits.result() for name, hits in asked.items()}, questions

    def _look(self, query: Query, looked: "Looked", k: int) -> Steps:
        """Fuse what the parts found, leave duplicates out, and have the best of it reranked."""
        weights = {name: self.weights.get(name, 1.0) for name in looked.hits}
        fused = fuse(looked.hits, weights)
        first, rows = self._distinct(looked, fused, max(k, self.reranker.depth))
        first = _as_asked(looked, first, rows)
        reranked = self.reranker.rerank(query.text, first)
        final = tuple(spread(reranked, self.diversity)[:k])
        return Steps(looked.snapshot, looked.index, looked.hits, weights, fused, first, rows, reranked, final)

    def _moved(self, index: SnapshotIndex, questions: Mapping[str, Vectors], steps: Steps) -> dict[str, Vectors]:
        """The question's vectors, nearer to what the reranker liked; none if it was not asked."""
        liked = [passage for passage in steps.reranked if _second(passage, steps.hits)]
        if not self.feedback or not liked:
            return {}
        weights, rows = liking(liked), [steps.rows[span(passage)] for passage in liked]
        found = {name: index.vectors(name, rows) for name in questions}
        return {
            name: towards(questions[name], vectors, weights, self.feedback)
            for name, vectors in found.items()
            if vectors is not None
        }

    def _nearest(
        self, index: SnapshotIndex, questions: Mapping[str, Vectors], depth: int, scope: Scope
    ) -> dict[str, Hits]:
        asked = {name: self.lookups.submit(index.nearest, name, of, depth, scope) for name, of in questions.items()}
        return {name: hits.result() for name, hits in asked.items()}

    def _distinct(self, looked: "Looked", fused: Sequence[Fused], count: int) -> tuple[list[Passage], dict[Span, int]]:
        """The best passages, `count` of them where there are as many that say different things, and their rows."""
        taken: list[Passage] = []
        rows: dict[Span, int] = {}
        for start in range(0, len(fused), max(1, count)):
            batch = fused[start : start + max(1, count)]
            places = looked.index.places([found.row for found in batch])
            passages = [self._passage(looked, *both) for both in zip(batch, places, strict=True)]
            rows |= {span(passage): found.row for passage, found in zip(passages, batch, strict=True)}
            taken = without_duplicates(taken + passages, self.duplicate_similarity)
            if len(taken) >= count:
                break
        return taken[:count], rows

    def _passage(self, looked: "Looked", found: Fused, place: ChunkPlace) -> Passage:
        doc_id, version, start, end = place
        document = self.reader.document(doc_id, version)
        return Passage(
            doc_id=document.doc_id,
            uri=document.uri,
            title=document.title,
            snapshot=looked.snapshot,
            start=start,
            end=end,
            text=document.parsed.text[start:end],
            page=document.page_at(start),
            section=document.section_at(start),
            score=found.score,
            parts={**found.parts, **looked.known.get((document.doc_id, start, end), {})},
            places=document.places(start, end),
        )


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look at an index found, by part.

    `known` is what the reranker has already scored, `asked` are the question's own vectors where moved ones searched.
    """

    snapshot: str
    index: SnapshotIndex
    hits: dict[str, Hits]
    known: Mapping[Span, Mapping[str, float]] = field(default_factory=dict)
    asked: Mapping[str, Vectors] = field(default_factory=dict)


def _as_asked(looked: Looked, passages: list[Passage], rows: Mapping[Span, int]) -> list[Passage]:
    """The passages with the parts' scores for the question as it was asked: whoever reads a cosine means that one."""
    for name, question in looked.asked.items():
        vectors = looked.index.vectors(name, [rows[span(passage)] for passage in passages])
        if vectors is not None and len(vectors):
            cosines = (vectors @ question).tolist()
            passages = [replace(p, parts={**p.parts, name: c}) for p, c in zip(passages, cosines, strict=True)]
    return passages


def span(passage: Passage) -> Span:
    """What tells a passage from the others of its snapshot."""
    return passage.doc_id, passage.start, passage.end


def _second(passage: Passage, hits: Mapping[str, Hits]) -> dict[str, float]:
    """What the reranker itself scored."""
    return {name: score for name, score in passage.parts.items() if name not in hits}
