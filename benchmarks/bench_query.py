"""What each combination of parts finds, and what it costs: nDCG, ingest time and query time in one table.

    python benchmarks/bench_query.py [--home .bench/ranking] [--set mtrag_clapnq] [--field rewrite] [--k 5]

mtrag_clapnq is 9,925 chunks. Everything runs on one thread, as a search does; the combinations take turns question by
question after a round that nobody times, so that each sees the same machine. Times are medians; "/ embedding" compares
with the combination's own embedders called plainly on the same questions, in the same turn.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from bench import bench_root

from app.bootstrap import Services, build
from app.settings import load_settings
from evals.bench.corpus import corpus_name, ingest_rows
from evals.bench.ranking import ndcg
from evals.bench.read import QueryField, QueryRow, RetrievalSet, read_retrieval
from evals.bench.retrieval import documents
from retrieval.search import BM25, Retriever
from retrieval.types import OPEN

COMBINATIONS: tuple[tuple[str, ...], ...] = (
    (BM25,),
    ("minilm",),
    ("bge",),
    (BM25, "minilm"),
    (BM25, "bge"),
    ("minilm", "bge"),
    (BM25, "minilm", "bge"),
)
SAMPLE = 256
"""Chunks whose embedding is timed, spread over the corpus."""


def combinations(shipped: Retriever) -> dict[str, Retriever]:
    """Every combination of parts, alone and under the cross-encoder where it has words in it."""
    plain = {" + ".join(parts): shipped.only(*parts) for parts in COMBINATIONS}
    second = {
        f"{name} → cross-encoder": replace(retriever, reranker=shipped.reranker)
        for name, retriever in plain.items()
        if BM25 in retriever.parts
    }
    return plain | second


def embedding_ms(services: Services, corpus: str) -> dict[str, float]:
    """Milliseconds a chunk of raw passage embedding, by embedder."""
    store, chunker = services.corpora, services.ingestor.publisher.chunker
    members = store.members(corpus, store.active(corpus))
    some = members[:: max(1, len(members) // SAMPLE)]
    texts = [
        chunk.indexed_text for member in some for chunk in chunker.chunk(store.document(member.doc_id, member.version))
    ][:SAMPLE]
    found = {}
    for embedder in services.retriever.embedders:
        embedder.embed_passages(texts[:8])
        began = time.perf_counter()
        embedder.embed_passages(texts)
        found[embedder.name] = (time.perf_counter() - began) / len(texts) * 1000
    return found


def measure(
    services: Services, bench: RetrievalSet, corpus: str, queries: Sequence[QueryRow], field: QueryField, k: int
) -> tuple[dict[str, list[float]], dict[str, list[float]], dict[str, list[float]]]:
    """By combination: nDCG@k, seconds of the search, seconds of its embedders alone; one number a question."""
    every = combinations(services.retriever)
    quality, searching, embedding = defaultdict(list), defaultdict(list), defaultdict(list)
    for timed_round in (False, True):
        for row in queries:
            asked = row.asked(field)
            for name, retriever in every.items():
                began = time.perf_counter()
                for embedder in retriever.embedders:
                    if embedder.name in retriever.parts:
                        embedder.embed_query(asked.text)
                embedded = time.perf_counter()
                passages = retriever.steps(asked, corpus, 10, OPEN).final
                searched = time.perf_counter()
                if timed_round:
                    embedding[name].append(embedded - began)
                    searching[name].append(searched - embedded)
                    quality[name].append(ndcg(documents(passages), bench.qrels[row.id], k))
    return quality, searching, embedding


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--home", type=Path, default=Path(".bench/ranking"))
    arguments.add_argument("--set", default="mtrag_clapnq")
    arguments.add_argument("--field", default="rewrite")
    arguments.add_argument("--k", type=int, default=5)
    given = arguments.parse_args()
    path = bench_root() / "retrieval" / given.set
    bench, corpus = read_retrieval(path, given.field), corpus_name(path)
    services = build(load_settings(home=given.home / given.set))
    try:
        ingest_rows(services, bench.corpus, corpus)
        queries = [row for row in bench.queries if any(grade > 0 for grade in bench.qrels.get(row.id, {}).values())]

        def work() -> None:
            services.retriever.warm_up()
            per_chunk = embedding_ms(services, corpus)
            quality, searching, embedding = measure(services, bench, corpus, queries, given.field, given.k)
            chunks = services.corpora.snapshot(corpus, services.corpora.active(corpus)).chunks
            print(f"{given.set}, {given.field}: {chunks} chunks, n = {len(queries)}\n")
            print(
                f"| parts | nDCG@{given.k} | embedding at ingest, ms a chunk | query p50 / p95, ms | / embedding, p50 |"
            )
            print("|---|---|---|---|---|")
            for name in quality:
                cost = sum(ms for part, ms in per_chunk.items() if part in name)
                p50, p95 = np.percentile(np.array(searching[name]) * 1000, [50, 95])
                alone = float(np.median(embedding[name]) * 1000)
                ratio = f"{p50 / alone:.2f}" if alone > 0.1 else "–"
                print(f"| {name} | {np.mean(quality[name]):.3f} | {cost:.1f} | {p50:.1f} / {p95:.1f} | {ratio} |")

        services.executor.submit(work).result()
    finally:
        services.close()


if __name__ == "__main__":
    main()
