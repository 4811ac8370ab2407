"""Bench kind `retrieval`: the shipped search against judged documents, with its parts, their average and their RRF."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from evals.bench.corpus import corpus_name, ingest_rows
from evals.bench.ranking import ndcg, recall, reciprocal_rank, reciprocal_rank_fusion
from evals.bench.read import RetrievalSet, read_retrieval
from evals.bench.results import BenchRequest, BenchResult, Score, Scores, Step, mean, quantile, sampled
from evals.errors import BenchError
from retrieval.search import Retriever
from retrieval.types import IngestReport, Passage, Query

if TYPE_CHECKING:
    from app.bootstrap import Services

DEPTH = 100
"""Distinct documents that recall@100 needs."""

QUALITY: Mapping[str, Callable[[Sequence[str], Mapping[str, float]], float]] = {
    "ndcg@5": partial(ndcg, k=5),
    "ndcg@10": partial(ndcg, k=10),
    "recall@5": partial(recall, k=5),
    "recall@10": partial(recall, k=10),
    "recall@100": partial(recall, k=100),
    "mrr@10": partial(reciprocal_rank, k=10),
}
FUSION = "fusion"
"""The first stage without the second look: the normalised average of all parts."""


@dataclass(slots=True)
class _Measured:
    """One retriever over all queries: scores by metric, in the order of the queries, and times."""

    scores: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in QUALITY})
    ms: list[float] = field(default_factory=list)
    deepest: int = 0
    """Most passages that one query was asked for to reach DEPTH documents."""

    def add(self, passages: Sequence[Passage], grades: Mapping[str, float]) -> None:
        ranked = documents(passages)
        for name, metric in QUALITY.items():
            self.scores[name].append(metric(ranked, grades))

    def summary(self, seed: int) -> dict[str, Score]:
        found = {name: mean(values, seed) for name, values in self.scores.items()}
        if self.ms:
            found |= {f"query_p{q}_ms": quantile(self.ms, q / 100, seed) for q in (50, 95)}
        return found


async def retrieval(services: "Services", request: BenchRequest, progress: Step | None = None) -> BenchResult:
    """Ingest the set's documents, ask every judged query, and score the documents found.

    Raises:
        BenchError: The set is missing, not in the format, or judges nothing relevant.
    """
    bench = read_retrieval(request.path, request.query_field)
    judged = [query for query in bench.queries if any(grade > 0 for grade in bench.qrels.get(query.id, {}).values())]
    if not judged:
        raise BenchError(f"{request.path}/qrels.tsv calls no document relevant: there is nothing to score.")
    queries = [judged[i] for i in sampled(len(judged), request.limit, request.seed)]
    await services.warm_up()  # neither the ingest nor the first query pays for loading the model
    corpus = corpus_name(request.path)
    report = ingest_rows(services, bench.corpus, corpus, progress)

    shipped = services.retriever
    systems = {
        "shipped": shipped,
        FUSION: shipped.only(*shipped.parts),
        **{part: shipped.only(part) for part in shipped.parts},
    }
    measured = {name: _Measured() for name in (*systems, "rrf")}
    k = services.settings.chat.passages
    for retriever in systems.values():
        await retriever.search(queries[0].asked(request.query_field), corpus, k)  # opens the index, untimed
    for done, query in enumerate(queries, start=1):
        question, grades = query.asked(request.query_field), bench.qrels[query.id]
        found: dict[str, list[Passage]] = {}
        for name, retriever in systems.items():
            began = time.perf_counter()
            await retriever.search(question, corpus, k)
            measured[name].ms.append((time.perf_counter() - began) * 1000)
            found[name], asked = await deep_search(retriever, question, corpus, report.chunks)
            measured[name].deepest = max(measured[name].deepest, asked)
            measured[name].add(found[name], grades)
        measured["rrf"].add(fused_by_rank([found[part] for part in shipped.parts]), grades)
        if progress is not None:
            progress("queries", done, len(queries))

    by_source = _by_source([query.source for query in queries], measured["shipped"], request.seed)
    summaries = {name: system.summary(request.seed) for name, system in measured.items()}
    metrics = summaries.pop("shipped") | {"docs_per_s": _docs_per_s(report, request)}
    about = _about(services, request, bench, report, measured["shipped"])
    return BenchResult("retrieval", str(request.path), len(queries), metrics, summaries, by_source, about)


async def deep_search(
    retriever: Retriever, question: Query | str, corpus: str, chunks: int, depth: int = DEPTH
) -> tuple[list[Passage], int]:
    """Passages in shipped order, then as many deeper ones as give `depth` distinct documents.

    Asking for more passages than the setting `candidates` makes every retriever look deeper, which shifts the scale of
    its scores and so the order. The head is therefore the ranking that ships, and deeper searches only add to its end.

    Returns:
        The passages, best first, and how many were asked for at the deepest.
    """
    asked = min(max(retriever.candidates, 1), max(chunks, 1))
    passages = list((await retriever.search(question, corpus, asked)).passages)
    while len(documents(passages)) < depth and asked < chunks:
        asked = min(asked * 4, chunks)
        deeper = (await retriever.search(question, corpus, asked)).passages
        known = {(passage.doc_id, passage.start) for passage in passages}
        passages += [passage for passage in deeper if (passage.doc_id, passage.start) not in known]
        if len(deeper) < asked:  # there is nothing below
            break
    return passages, asked


def documents(passages: Sequence[Passage]) -> list[str]:
    """Documents in the order of their best passage."""
    return list(dict.fromkeys(passage.uri for passage in passages))


def fused_by_rank(rankings: Sequence[Sequence[Passage]]) -> list[Passage]:
    """Reciprocal rank fusion of passages."""
    passages = {(p.doc_id, p.start): p for ranking in rankings for p in ranking}
    order = reciprocal_rank_fusion([[(p.doc_id, p.start) for p in ranking] for ranking in rankings])
    return [passages[key] for key in order]


def _by_source(sources: Sequence[str], measured: _Measured, seed: int) -> Mapping[str, Scores]:
    return {
        source: {
            name: mean([value for value, of in zip(values, sources, strict=True) if of == source], seed)
            for name, values in measured.scores.items()
        }
        for source in sorted({source for source in sources if source})
    }


def _docs_per_s(report: IngestReport, request: BenchRequest) -> Score:
    """Whole ingest: chunk, embed, store, index. Unknown where a kept home saved some of that work."""
    fresh = request.fresh and report.seconds > 0
    return Score(report.documents / report.seconds if fresh else None, n=report.documents)


def _about(
    services: "Services", request: BenchRequest, bench: RetrievalSet, report: IngestReport, shipped: _Measured
) -> dict[str, object]:
    return {
        "queries_without_judgement": len(bench.queries) - len(bench.qrels),
        "limit": request.limit,
        "query_field": request.query_field,
        "seed": request.seed,
        "documents": report.documents,
        "chunks": report.chunks,
        "empty_documents": len(report.quarantined),
        "embedders": [embedder.fingerprint for embedder in services.retriever.embedders],
        "reranker": services.retriever.reranker.fingerprint,
        "candidates": services.retriever.candidates,
        "weights": dict(services.retriever.weights),
        "timed_passages": services.settings.chat.passages,
        "deepest_search": shipped.deepest,
    }
