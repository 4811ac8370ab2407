"""Fit what the extractive answerer needs on the tuning halves of public sets: sentence weights, answerability.

    python benchmarks/fit_extractive.py [--limit 300] [--home .bench]

Negatives: clapnq's unanswerable questions; for the other sets, the same question with its gold documents left out.
"""

import argparse
import asyncio
from dataclasses import astuple
from pathlib import Path

import numpy as np
from bench import is_tuning, services_of, words
from sklearn.linear_model import LogisticRegression

from app.bootstrap import Services
from app.llm.extractive import Candidate, Extractive, signals
from retrieval.types import Passage

SETS = ("xquad_en", "clapnq", "anthropic_docs")
GRID = [
    (1, 0, 0),
    (0, 1, 0),
    (0, 0, 1),
    (0.5, 0.5, 0),
    (0.5, 0.3, 0.2),
    (0.4, 0.3, 0.3),
    (0.4, 0.2, 0.4),
    (0.2, 0.5, 0.3),
]

Row = tuple[str, dict, tuple[Passage, ...], list[Candidate], bool]


def rows_of(name: str, services: Services, bench, limit: int) -> list[Row]:
    extractive = services.pipeline.fallback
    assert isinstance(extractive, Extractive)
    queries = [query for query in bench.queries if is_tuning(bench, query)]
    rows: list[Row] = []
    for query in queries[:: max(1, len(queries) // limit)][:limit]:
        found = asyncio.run(services.retriever.search(query["text"], "default", 8)).passages
        gold = set(bench.qrels.get(query["id"], {}))
        cases = [(found, bool(query.get("answerable", True)))]
        if name != "clapnq":
            cases.append((tuple(p for p in found if p.uri not in gold), False))
        for passages, answerable in cases:
            ranked = extractive.rank(query["text"], passages)
            if ranked:
                rows.append((name, query, passages, ranked, answerable))
    return rows


def found_by(row: Row, weights: tuple[float, float, float], count: int) -> bool | None:
    """Whether the first sentences hold the gold answer; None where the set names neither answer nor sentence."""
    name, query, passages, ranked, answerable = row
    if not answerable or name == "anthropic_docs":
        return None
    a, b, c = weights
    best = sorted(ranked, key=lambda s: -(a * s.cosine + b * s.overlap + c * passages[s.passage].score))[:count]
    if name == "xquad_en":
        text = words(" ".join(sentence.text for sentence in best))
        return any(words(answer) in text for answer in query["answers"])
    gold = [words(sentence) for sentence in query["gold_sentences"]]
    return any(words(s.text) in g or g in words(s.text) for s in best for g in gold)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--limit", type=int, default=300)
    arguments.add_argument("--home", type=Path, default=Path(".bench"))
    given = arguments.parse_args()
    rows: list[Row] = []
    for name in SETS:
        bench, services = services_of(name, given.home)
        rows += rows_of(name, services, bench, given.limit)
        services.close()
    print("gold among the first n sentences, by weights (cosine, overlap, passage), tuning halves")
    for weights in GRID:
        shares = [
            f"{name} "
            + " ".join(
                f"{np.mean([h for r in rows if r[0] == name and (h := found_by(r, weights, n)) is not None]):.3f}"
                for n in (1, 2, 3)
            )
            for name in SETS[:2]
        ]
        print(weights, *shares, sep="  ")
    features = np.array([astuple(signals(query["text"], passages, ranked)) for _, query, passages, ranked, _ in rows])
    labels = np.array([answerable for *_, answerable in rows])
    names = np.array([name for name, *_ in rows])
    weight = np.array([1 / np.sum(names == name) for name in names])  # every set counts alike
    model = LogisticRegression(C=10, max_iter=5000).fit(features, labels, sample_weight=weight / weight.mean())
    print("answerable:", "weights", model.coef_[0].round(2), "intercept", model.intercept_.round(2), "n", len(rows))


if __name__ == "__main__":
    main()
