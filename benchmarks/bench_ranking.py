"""Which parts of the ranking earn their place: each left out, or weighed otherwise, on all seven public sets.

    python benchmarks/bench_ranking.py [--home .bench/ranking] [--sets scifact,xquad_de] [--limit 300]

Prints nDCG@10 (nDCG@5 for the two mtrag sets, as it was published on them) of every variant, with the difference to
what ships and its 95 % paired bootstrap interval. Documents and vectors are kept under --home.
"""

import argparse
import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
from bench import bench_root

import retrieval.query
from app.bootstrap import Services, build
from app.settings import load_settings
from evals.bench.corpus import corpus_name, ingest_rows
from evals.bench.ranking import ndcg
from evals.bench.read import QueryField, QueryRow, RetrievalSet, read_retrieval
from evals.bench.retrieval import documents
from retrieval.rerankers.cross_encoder import CrossEncoderFusion
from retrieval.rerankers.port import KeepOrder
from retrieval.search import Retriever
from retrieval.types import Query

SETS: tuple[tuple[str, QueryField, int], ...] = (
    ("scifact", "text", 10),
    ("anthropic_docs", "text", 10),
    ("clapnq", "text", 10),
    ("xquad_en", "text", 10),
    ("xquad_de", "text", 10),
    ("mtrag_cloud", "rewrite", 5),
    ("mtrag_cloud", "all_questions", 5),
    ("mtrag_clapnq", "rewrite", 5),
    ("mtrag_clapnq", "all_questions", 5),
)
Ask = Callable[[Query], Query]


def variants(shipped: Retriever) -> Iterator[tuple[str, Retriever]]:
    """What ships, with one thing changed."""
    first = replace(shipped, reranker=KeepOrder())
    yield "without the cross-encoder", first
    for part in shipped.parts:
        yield f"first stage: {part} alone", shipped.only(part)
    for part in shipped.parts:
        yield f"first stage: without {part}", shipped.only(*(set(shipped.parts) - {part}))
    reranker = shipped.reranker
    assert isinstance(reranker, CrossEncoderFusion)
    yield (
        "cross-encoder: always asked",
        replace(
            shipped, reranker=replace(reranker, settings=reranker.settings.model_copy(update={"skip_margin": None}))
        ),
    )
    for changed in ({"candidates": 8}, {"candidates": 20}, {"weight": 1.0}, {"weight": 4.0}, {"weight": 1e6}):
        named = ", ".join(f"{name} {value:g}" for name, value in changed.items())
        second = replace(reranker, settings=reranker.settings.model_copy(update={**changed, "max_tokens": 100_000}))
        yield f"cross-encoder: {named}", replace(shipped, reranker=second)
    yield "near-duplicates left out (.9)", replace(shipped, duplicate_similarity=0.9)
    yield "diversity .1", replace(shipped, diversity=0.1)


@contextmanager
def constants(**values: float) -> Iterator[None]:
    """Other constants of the query side."""
    with patch.multiple(retrieval.query, **values):
        yield


def scores(retriever: Retriever, bench: RetrievalSet, queries: Sequence[QueryRow], asked: Ask, k: int) -> np.ndarray:
    """nDCG@k of every query: (queries,) float64."""
    found = []
    for query in queries:
        passages = asyncio.run(retriever.search(asked(query.asked(FIELD[0])), corpus_name(PATH[0]), 60)).passages
        found.append(ndcg(documents(passages), bench.qrels[query.id], k))
    return np.array(found)


FIELD: list[QueryField] = ["text"]
PATH: list[Path] = [Path()]


def line(name: str, found: np.ndarray, shipped: np.ndarray) -> str:
    """A row of the table."""
    difference = found - shipped
    draws = np.random.default_rng(0).integers(0, len(difference), (2_000, len(difference)))
    low, high = np.quantile(difference[draws].mean(axis=1), (0.025, 0.975))
    return f"| {name} | {found.mean():.3f} | {difference.mean():+.3f} [{low:+.3f}, {high:+.3f}] |"


def measure(services: Services, name: str, field: QueryField, k: int, limit: int) -> None:
    """Print the table of one set."""
    path = bench_root() / "retrieval" / name
    bench = read_retrieval(path, field)
    FIELD[0], PATH[0] = field, path
    ingest_rows(services, bench.corpus, corpus_name(path))
    judged = [query for query in bench.queries if any(grade > 0 for grade in bench.qrels.get(query.id, {}).values())]
    queries = judged[:: max(1, -(-len(judged) // limit))]

    def same(query: Query) -> Query:
        return query

    shipped = scores(services.retriever, bench, queries, same, k)
    print(f"\n### {name}, {field}: nDCG@{k}, n = {len(queries)}\n")
    print(f"| variant | nDCG@{k} | against what ships |\n|---|---|---|")
    print(f"| as it ships | {shipped.mean():.3f} | |", flush=True)
    for label, retriever in variants(services.retriever):
        print(line(label, scores(retriever, bench, queries, same, k), shipped), flush=True)
    if name == "xquad_de":
        with patch.object(retrieval.query, "language_of", lambda text: "en"):
            print(line("question's language not told", scores(services.retriever, bench, queries, same, k), shipped))
    if field == "all_questions":
        conversations(services, bench, queries, shipped, k)


def conversations(
    services: Services, bench: RetrievalSet, queries: Sequence[QueryRow], shipped: np.ndarray, k: int
) -> None:
    """What earlier questions are worth, and what other shares of them are."""

    def last(query: Query) -> Query:
        return Query(query.text)

    def joined(query: Query) -> Query:
        return Query(" ".join((*query.earlier, query.text)))

    rules: tuple[tuple[str, Ask], ...] = (("the last question alone", last), ("all questions as one", joined))
    for label, asked in rules:
        print(line(label, scores(services.retriever, bench, queries, asked, k), shipped), flush=True)
    for share in (0.5, 0.6, 0.8, 0.9):
        with constants(LAST_SHARE=share):
            found = scores(services.retriever, bench, queries, lambda query: query, k)
        print(line(f"share of the last question {share:g}", found, shipped), flush=True)
    for decay in (0.1, 0.5, 0.7):
        with constants(DECAY=decay):
            found = scores(services.retriever, bench, queries, lambda query: query, k)
        print(line(f"decay of earlier words {decay:g}", found, shipped), flush=True)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--home", type=Path, default=Path(".bench/ranking"))
    arguments.add_argument("--sets", default="")
    arguments.add_argument("--limit", type=int, default=400)
    given = arguments.parse_args()
    wanted = set(given.sets.split(",")) - {""}
    for name, field, k in SETS:
        if not wanted or name in wanted:
            services = build(load_settings(home=given.home / name))
            try:
                measure(services, name, field, k, given.limit)
            finally:
                services.close()


if __name__ == "__main__":
    main()
