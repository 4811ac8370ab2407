"""How much the cross-encoder counts among sentences, and when a second sentence is shown: a grid on tuning halves.

    python benchmarks/fit_extractive.py --cache .bench/readings

Reads what benchmarks/fit_decision.py has cached. Prints, for xquad_en (its gold answer) and clapnq (any gold sentence),
how often the sentences that are shown hold the gold, and how many are shown.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from bench import retrieval_set, words
from fit_decision import Cache, Row

import app.llm.extractive as module
from app.reading import Candidate, Reading

PAIR_WEIGHTS = (0.0, 0.25, 0.5, 0.75)
KEEP = (0.5, 0.7, 0.8, 0.85)
SHIPPED_PAIR = 0.5


def weighed(reading: Reading, weight: float) -> Reading:
    """The reading as another weight of the cross-encoder would have it."""

    def rescored(candidate: Candidate) -> Candidate:
        if candidate.pair is None:
            return replace(candidate, score=-1.0)
        first = (candidate.score - SHIPPED_PAIR * candidate.pair) / (1 - SHIPPED_PAIR)
        return replace(candidate, score=(1 - weight) * first + weight * candidate.pair)

    found = sorted(map(rescored, reading.candidates), key=lambda candidate: -candidate.score)
    return replace(reading, candidates=tuple(found))


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--cache", type=Path, default=Path(".bench/readings"))
    cache = Cache(arguments.parse_args().cache)
    golds: dict[str, Callable[[str], list[str]]] = {}
    for name, field in (("xquad_en", "answers"), ("clapnq", "gold_sentences")):
        queries = {query["id"]: query for query in retrieval_set(name).queries}
        golds[name] = lambda found, queries=queries, field=field: [words(gold) for gold in queries[found][field]]
    rows: dict[str, list[Row]] = {
        name: [row for row in cache.rows(file, lambda: iter(())) if row.fitted and row.label == "answerable"]
        for name, file in (("xquad_en", "xquad_en"), ("clapnq", "clapnq_found"))
    }
    answerer = module.Extractive(None, None)  # type: ignore[arg-type]
    for weight in PAIR_WEIGHTS:
        for keep in KEEP:
            module._KEEP = keep
            shares = []
            for name, found in rows.items():
                shown = [answerer.chosen(weighed(row.reading, weight)) for row in found]
                holds = [any(gold in words(" ".join(said)) for gold in golds[name](row.id))
                         for row, said in zip(found, shown, strict=True)]  # fmt: skip
                shares.append(f"{name} {np.mean(holds):.3f} in {np.mean([len(s) for s in shown]):.2f} (n={len(found)})")
            print(f"cross-encoder {weight}, second sentence from {keep}:", *shares, sep="  ")


if __name__ == "__main__":
    main()
