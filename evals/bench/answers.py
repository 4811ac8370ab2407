"""Bench kind `answers`: whole turns against gold answers and evidence, with three simple answerers beside them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from app.pipeline import ChatPipeline
from app.sentences import sentences
from app.types import ChatRequest, Message
from evals.bench.corpus import corpus_name, ingest_rows
from evals.bench.read import QueryRow, read_retrieval
from evals.bench.results import BenchRequest, BenchResult, Score, Scores, Step, bootstrapped, mean, sampled
from evals.bench.wording import contains_gold, exact_match, token_f1
from evals.running.evidence import SnapshotTexts, find
from retrieval.search import BM25, Retriever

if TYPE_CHECKING:
    from app.bootstrap import Services

Place = tuple[str, int, int]
"""doc_id, start, end."""


@dataclass(frozen=True, slots=True)
class Said:
    """What an answerer said to one question. `confidence` orders questions by how likely they can be answered."""

    answer: str = ""
    confidence: float = 0.0
    cited: tuple[Place, ...] = ()
    claims: int = 0
    highlighted: str = ""
    """What of the first claim is marked as the answer."""
    passages: tuple[Place, ...] = ()

    @property
    def abstained(self) -> bool:
        """Nothing was said."""
        return not self.answer


@dataclass(frozen=True, slots=True)
class Gold:
    """A question with its gold: each piece of evidence is the places that hold it."""

    query: QueryRow
    evidence: tuple[tuple[Place, ...], ...]


def _due(score: Callable[[str, Sequence[str]], float]) -> Callable[[Gold, Said], float | None]:
    """A score of the answer's words, where there is a gold answer; abstaining from it is 0."""

    def scored(gold: Gold, said: Said) -> float | None:
        return score(said.answer, gold.query.answers) if gold.query.answerable and gold.query.answers else None

    return scored


def _held(gold: Gold, places: Sequence[Place]) -> float | None:
    """Share of the evidence that one of the places overlaps."""
    if not gold.evidence or not gold.query.answerable:
        return None
    held = (any(_overlap(a, b) for a in piece for b in places) for piece in gold.evidence)
    return sum(held) / len(gold.evidence)


METRICS: Mapping[str, Callable[[Gold, Said], float | None]] = {
    "exact_match": _due(exact_match),
    "token_f1": _due(token_f1),
    "contains_gold": _due(contains_gold),
    "highlight_f1": lambda gold, said: _due(token_f1)(gold, replace(said, answer=said.highlighted or said.answer)),
    "claims_shown": lambda gold, said: float(said.claims) if said.answer else None,
    "evidence_recall": lambda gold, said: _held(gold, said.cited),
    "retrieved_evidence": lambda gold, said: _held(gold, said.passages),
    "abstention": lambda gold, said: float(said.abstained != gold.query.answerable),
}


async def answers(services: "Services", request: BenchRequest, progress: Step | None = None) -> BenchResult:
    """Ingest the set's documents, put every question through the pipeline that serves, and score what it says.

    Raises:
        BenchError: The set is missing or not in the format.
    """
    bench = read_retrieval(request.path, request.query_field)
    await services.warm_up()
    corpus = corpus_name(request.path)
    report = ingest_rows(services, bench.corpus, corpus, progress)
    texts = SnapshotTexts(services.corpora, services.reader, corpus, report.snapshot)
    chosen = [bench.queries[i] for i in sampled(len(bench.queries), request.limit, request.seed)]
    golds = [Gold(query, evidence(query, bench.qrels.get(query.id, {}), texts)) for query in chosen]

    bm25 = services.retriever.only(BM25)
    simple = replace(services.pipeline, retriever=bm25)
    said: dict[str, list[Said]] = {"shipped": [], "always_abstain": [], "lead_bm25": [], "bm25": []}
    for done, gold in enumerate(golds, start=1):
        asked = gold.query.asked(request.query_field)
        question = ChatRequest(asked.text, tuple(Message("user", text) for text in asked.earlier), corpus)
        said["shipped"].append(await _turn(services.pipeline, question))
        said["always_abstain"].append(Said())
        said["lead_bm25"].append(await _lead(bm25, question))
        said["bm25"].append(await _turn(simple, question))
        if progress is not None:
            progress("queries", done, len(golds))

    scores = {name: scored(golds, given, request.seed) for name, given in said.items()}
    sources = sorted({gold.query.source for gold in golds if gold.query.source})
    by_source = {source: _of_source(source, golds, said["shipped"], request.seed) for source in sources}
    about = {
        "answerable": sum(gold.query.answerable for gold in golds),
        "limit": request.limit,
        "query_field": request.query_field,
        "seed": request.seed,
        "documents": report.documents,
        "chunks": report.chunks,
        "empty_documents": len(report.quarantined),
        "gold_sentences_not_found": sum(
            len(gold.query.gold_sentences) - len(gold.evidence) for gold in golds if gold.query.gold_sentences
        ),
        "evidence": "gold sentences" if any(g.query.gold_sentences for g in golds) else "whole relevant documents",
        "provider": services.pipeline.provider.name,
        "embedder": " + ".join(embedder.fingerprint for embedder in services.retriever.embedders),
    }
    return BenchResult("answers", str(request.path), len(golds), scores.pop("shipped"), scores, by_source, about)


def evidence(query: QueryRow, grades: Mapping[str, float], texts: SnapshotTexts) -> tuple[tuple[Place, ...], ...]:
    """Where the gold sentences stand in the relevant documents; without gold sentences, those documents whole.

    A gold sentence that stands in none of them cannot be cited and is left out; the result counts such sentences.
    """
    relevant = [
        (doc_id, text)
        for uri, grade in grades.items()
        if grade > 0 and (doc_id := texts.doc_ids.get(uri)) and (text := texts.text_of(doc_id))
    ]
    if not query.gold_sentences:
        return tuple(((doc_id, 0, len(text)),) for doc_id, text in relevant)
    pieces = [
        tuple((doc_id, *span) for doc_id, text in relevant for span in find(sentence, text))
        for sentence in query.gold_sentences
        if sentence.strip()
    ]
    return tuple(piece for piece in pieces if piece)


def scored(golds: Sequence[Gold], said: Sequence[Said], seed: int) -> dict[str, Score]:
    """Each metric's mean over the questions to which it applies, and how confidence tells answerable questions."""
    found: dict[str, Score] = {}
    for name, metric in METRICS.items():
        values = [metric(gold, given) for gold, given in zip(golds, said, strict=True)]
        found[name] = mean([value for value in values if value is not None], seed)
    can = [given.confidence for gold, given in zip(golds, said, strict=True) if gold.query.answerable]
    cannot = [given.confidence for gold, given in zip(golds, said, strict=True) if not gold.query.answerable]
    found["abstain_auc"] = bootstrapped((can, cannot), auc, seed, "BCa", vectorized=False)
    return found


def _of_source(source: str, golds: Sequence[Gold], said: Sequence[Said], seed: int) -> Scores:
    pairs = [(gold, given) for gold, given in zip(golds, said, strict=True) if gold.query.source == source]
    return scored([gold for gold, _ in pairs], [given for _, given in pairs], seed)


async def _turn(pipeline: ChatPipeline, request: ChatRequest) -> Said:
    """One turn, with the probability that it gave its answer, or would have given one."""
    result = await pipeline.run(request)
    confidence = result.confidence or 0.0
    return Said(
        "" if result.abstained else result.answer,
        confidence,
        tuple((c.doc_id, c.start, c.end) for claim in result.claims for c in claim.citations),
        len(result.claims),
        next((c.text[c.highlight[0] : c.highlight[1]] for c in result.claims if c.highlight), ""),
        tuple((p.doc_id, p.start, p.end) for p in result.passages),
    )


async def _lead(retriever: Retriever, request: ChatRequest) -> Said:
    """The first sentence of the best passage; its score is the confidence."""
    found = (await retriever.search(request.question, request.corpus, 1)).passages
    spans = sentences(found[0].text) if found else ()
    if not spans:
        return Said()
    passage, (start, end) = found[0], spans[0]
    place = (passage.doc_id, passage.start + start, passage.start + end)
    whole = (passage.doc_id, passage.start, passage.end)
    return Said(passage.text[start:end], passage.parts["bm25"], (place,), 1, passages=(whole,))


def _overlap(a: Place, b: Place) -> bool:
    return a[0] == b[0] and a[1] < b[2] and b[1] < a[2]


def auc(positive: Any, negative: Any) -> float:
    """Chance that a positive stands above a negative, ties counted half (Mann and Whitney 1947)."""
    below = np.searchsorted(np.sort(negative), positive, side="left")
    upto = np.searchsorted(np.sort(negative), positive, side="right")
    return float((below + upto).sum() / (2 * len(positive) * len(negative)))
