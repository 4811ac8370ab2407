"""Why a search found what it found: each passage's scores, ranks and words, from the steps that the search took."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from retrieval.fusion import Hits, min_max
from retrieval.index.port import ChunkPlace, SnapshotIndex
from retrieval.language import ENGLISH, language_of
from retrieval.query import conversation, language, weighted_words
from retrieval.search import BM25, Retriever, Steps
from retrieval.types import OPEN, Passage, Query, Scope
from retrieval.words import index_words, words

WORDS_ASKED = 64
"""Words of a question that are looked up one by one, the weightiest first."""
WORD_HITS = 10_000
"""Hits looked at for one word: a passage beyond them holds a word whose score is not shown."""
FORMS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class PartScore:
    """What one part of the first stage said of a passage. `share` is what it added to the fused score."""

    raw: float
    normalised: float
    share: float
    rank: int
    """From 1, among the part's own hits."""


@dataclass(frozen=True, slots=True)
class Term:
    """A word that was asked for and found. `score` is what it added to bm25's raw score, None where it is not known."""

    asked: str
    weight: float
    forms: tuple[str, ...]
    """As the passage, its title or its headings have it; the closest ones first."""
    score: float | None


@dataclass(frozen=True, slots=True)
class Explained:
    """One passage of the result. Ranks count from 1.

    `score` is the final one, `fused` that of the first stage: the sum of the parts' shares. A part that did not find
    the passage has no entry. `second` holds what the reranker scored itself.
    """

    passage: Passage
    version: str
    fused: float
    parts: Mapping[str, PartScore]
    second: Mapping[str, float]
    terms: tuple[Term, ...]
    first_rank: int
    """After fusion."""
    distinct_rank: int
    """After duplicates were left out: what the reranker was shown."""
    reranked: int
    """After the reranker."""
    rank: int
    """In the result, after diversity."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A passage that the first stage ranked among the best and that the result lacks."""

    doc_id: str
    start: int
    end: int
    first_rank: int
    why: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A search's result with its reasons. `candidates` counts each part's hits, `considered` the chunks among them."""

    snapshot: str
    query: Query
    language: str
    passages: tuple[Explained, ...]
    candidates: Mapping[str, int]
    not_asked: tuple[str, ...]
    """Parts that were left aside: they never learnt the question's language."""
    weights: Mapping[str, float]
    """Of each part in the average; they sum to one."""
    considered: int
    reranker: str
    reread: int
    """Passages that the reranker was shown."""
    moved: bool
    """Whether there was a second search, nearer to what the reranker liked: the scores are those of that one."""
    left_out: tuple[LeftOut, ...] = field(default=())


async def explain(retriever: Retriever, query: Query | str, corpus: str, k: int, scope: Scope = OPEN) -> Explanation:
    """Search, and say why each passage of the result stands where it does.

    Arguments and errors are those of `Retriever.search`, whose result it is.
    """
    asked = Query(query) if isinstance(query, str) else query

    def work() -> Explanation:
        return explanation(retriever, asked, retriever.steps(asked, corpus, k, scope), scope)

    return await asyncio.get_running_loop().run_in_executor(retriever.executor, work)


def explanation(retriever: Retriever, query: Query, steps: Steps, scope: Scope) -> Explanation:
    """Read the steps of a search."""
    places = steps.index.places([found.row for found in steps.fused])
    rows = {_key(place): found.row for found, place in zip(steps.fused, places, strict=True)}
    versions = {_key(place): place[1] for place in places}
    first = {_key(place): rank for rank, place in enumerate(places, start=1)}
    distinct, reranked = _ranks(steps.first), _ranks(steps.reranked)
    parts = _part_scores(steps)
    fused = {found.row: found.score for found in steps.fused}
    terms = _Terms(retriever, query, steps.index, scope, bm25=BM25 in steps.hits)
    passages = []
    for rank, passage in enumerate(steps.final, start=1):
        key = passage.doc_id, passage.start, passage.end
        row = rows[key]
        passages.append(
            Explained(
                passage=passage,
                version=versions[key],
                fused=fused[row],
                parts={name: scores[row] for name, scores in parts.items() if row in scores},
                second={name: score for name, score in passage.parts.items() if name not in steps.hits},
                terms=terms.of(passage, versions[key], row),
                first_rank=first[key],
                distinct_rank=distinct[key],
                reranked=reranked[key],
                rank=rank,
            )
        )
    total = sum(steps.weights.values()) or 1.0
    return Explanation(
        snapshot=steps.snapshot,
        query=query,
        language=language(query),
        passages=tuple(passages),
        candidates={name: len(hits.rows) for name, hits in steps.hits.items()},
        not_asked=tuple(name for name in retriever.parts if name not in steps.hits),
        weights={name: weight / total for name, weight in steps.weights.items()},
        considered=len(steps.fused),
        reranker=retriever.reranker.name,
        reread=min(len(steps.first), retriever.reranker.depth),
        moved=steps.moved,
        left_out=_left_out(steps, places),
    )


def _part_scores(steps: Steps) -> dict[str, dict[int, PartScore]]:
    total = sum(steps.weights.values())
    return {name: _scores_of(hits, steps.weights[name] / total) for name, hits in steps.hits.items()}


def _scores_of(hits: Hits, weight: float) -> dict[int, PartScore]:
    ranked = zip(hits.rows, hits.scores, min_max(hits.scores), strict=True)
    return {
        int(row): PartScore(float(raw), float(scaled), weight * float(scaled), rank)
        for rank, (row, raw, scaled) in enumerate(ranked, start=1)
    }


def _left_out(steps: Steps, places: Sequence[ChunkPlace]) -> tuple[LeftOut, ...]:
    """What stood above the last passage of the result and is not in it."""
    shown, result, final = _ranks(steps.first), _ranks(steps.reranked), _ranks(steps.final)
    first = {_key(place): rank for rank, place in enumerate(places, start=1)}
    last = max((first[key] for key in final), default=0)
    gone = []
    for place in places[:last]:
        key = _key(place)
        if key in final:
            continue
        if key not in shown:
            why = "repeats a better passage"
        elif result[key] > len(final):
            why = f"{result[key]} after the second look"
        else:
            why = "too like better passages (diversity)"
        gone.append(LeftOut(place[0], place[2], place[3], first[key], why))
    return tuple(gone)


def _ranks(passages: Sequence[Passage]) -> dict[tuple[str, int, int], int]:
    return {(p.doc_id, p.start, p.end): rank for rank, p in enumerate(passages, start=1)}


def _key(place: ChunkPlace) -> tuple[str, int, int]:
    return place[0], place[2], place[3]


class _Terms:
    """The words of a question, each with its weight, the words of the index that stand for it, and their scores."""

    def __init__(self, retriever: Retriever, query: Query, index: SnapshotIndex, scope: Scope, *, bm25: bool) -> None:
        self._reader = retriever.reader
        weights = weighted_words(query)
        asked = sorted(weights, key=lambda word: (-weights[word], word))[:WORDS_ASKED]
        self._scores: dict[str, Mapping[int, float]] = {}
        for word in asked if bm25 else ():
            hits = index.matching({word: weights[word]}, WORD_HITS, scope)
            self._scores[word] = {int(row): float(score) for row, score in zip(hits.rows, hits.scores, strict=True)}
        self._weights = weights
        self._asked = _asked(query, weights)
        self._languages: dict[tuple[str, str], str] = {}
        self._indexed: dict[tuple[str, str], list[str]] = {}

    def of(self, passage: Passage, version: str, row: int) -> tuple[Term, ...]:
        """The words that a passage holds, those that count most first."""
        tongue = self._language(passage.doc_id, version)
        there: dict[str, set[str]] = {}
        for form in dict.fromkeys(words(f"{passage.title} {passage.section or ''} {passage.text}")):
            for word in self._words(form, tongue):
                there.setdefault(word, set()).add(form)
        found = []
        for asked, own in self._asked.items():
            if held := own & there.keys():
                forms = self._closest((form for word in held for form in there[word]), own, tongue)
                weight = max(self._weights[word] for word in held)
                found.append(Term(asked, weight, forms, self._score(held, row)))
        return tuple(sorted(found, key=lambda term: (-(term.score or 0.0), -term.weight, term.asked)))

    def _language(self, doc_id: str, version: str) -> str:
        key = doc_id, version
        if key not in self._languages:
            self._languages[key] = language_of(self._reader.document(doc_id, version).parsed.text)
        return self._languages[key]

    def _words(self, form: str, tongue: str) -> list[str]:
        key = form, tongue
        if key not in self._indexed:
            self._indexed[key] = index_words(form, tongue)
        return self._indexed[key]

    def _closest(self, forms: Iterable[str], own: set[str], tongue: str) -> tuple[str, ...]:
        """The forms that share most with what was asked."""
        shared = {form: len(own.intersection(self._words(form, tongue))) for form in forms}
        return tuple(sorted(shared, key=lambda form: (-shared[form], len(form), form))[:FORMS_SHOWN])

    def _score(self, held: Iterable[str], row: int) -> float | None:
        known = [self._scores[word][row] for word in held if row in self._scores.get(word, {})]
        return sum(known) if known else None


def _asked(query: Query, weights: Mapping[str, float]) -> dict[str, set[str]]:
    """Each word as it was asked, with those words of the index that stand for it and for no word before."""
    spoken = {ENGLISH, language(query)}
    left, found = set(weights), dict[str, set[str]]()
    for question in reversed(conversation(query)):
        for form in words(question):
            own = {word for tongue in spoken for word in index_words(form, tongue)} & left
            left -= own
            if own:
                found.setdefault(form, set()).update(own)
    return found
