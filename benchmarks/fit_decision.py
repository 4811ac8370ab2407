"""Fit the probability that a question is answered by what was found for it; writes app/deciding/weights*.json.

    python benchmarks/fit_decision.py [--home .bench] [--cache .bench/readings] [--limit 150] [--write]

Fitted on: the fitting half of clapnq (the right passage given, and from end to end), and those of xquad_en and
anthropic_docs (end to end; negatives are the same questions with their right documents left out). Every source counts
alike. Not used: the reporting half of clapnq, all of MTRAG, the handbook. The same signals without the cross-encoder
make the light model, for services that run without one.
"""

import argparse
import asyncio
import json
import pickle
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import numpy as np
from bench import bench_root, is_tuning, retrieval_set, services_over
from scipy.stats import mannwhitneyu
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from app.bootstrap import Services
from app.deciding.joined import WITH_PAIRS, WITHOUT_PAIRS
from app.deciding.signals import NAMES, signals
from app.reading import Reading
from app.types import ChatRequest
from evals.bench.answerability import passages_of
from evals.bench.tasks import Task, read_tasks

PAIRS = ("pair_best", "pair_next", "pair_passage")
DROPPED = ("lead", "length")
"""Clapnq's answers open their passages more often than other sentences do: a trait of the set, not of answers."""
C = 0.3
POSITIVE_SHARE = 0.7
"""Of answerable questions among those that a service is asked: what the intercept is set for."""

PRIOR_INTERCEPT = -8.19
PRIOR = {"cosine_best": 5.28, "passage_cosine": 3.49, "overlap_best": 2.12, "coverage": 3.51}
"""The four-signal model of before, fitted on tuning halves of three sets. Averaged with it, the model keeps what it
gains on clapnq, and asks more of cosines, which tell most on the handbook."""


@dataclass
class Row:
    source: str
    id: str
    group: str
    fitted: bool
    label: str
    reading: Reading


class Cache:
    """Readings by (source, id), on disk: the slow part is done once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def rows(self, source: str, make: Callable[[], Iterator[Row]]) -> list[Row]:
        path = self.folder / f"{source}.pkl"
        if not path.exists():
            path.write_bytes(pickle.dumps(list(make())))
        return pickle.loads(path.read_bytes())


def given_rows(source: str, tasks: list[Task], services: Services) -> Iterator[Row]:
    reader = services.pipeline.decider.reader
    for task in tasks:
        asked = asyncio.run(services.pipeline.understand(task.request)).question
        reading = reader.read(asked, passages_of(task.given))
        yield Row(source, task.id, task.group, task.fitted, task.label, reading)


def found_rows(source: str, tasks: list[Task], services: Services) -> Iterator[Row]:
    for task in tasks:
        yield Row(source, task.id, task.group, task.fitted, task.label, read(task.request, services))


def read(request: ChatRequest, services: Services, without: frozenset[str] = frozenset()) -> Reading:
    pipeline = services.pipeline
    understood = asyncio.run(pipeline.understand(request))
    count = pipeline.settings.passages
    found = asyncio.run(pipeline.retriever.search(understood.query, request.corpus, count + len(without)))
    passages = [p for p in found.passages if p.uri not in without][:count]
    return pipeline.decider.reader.read(understood.question, passages)


def left_out_rows(name: str, home: Path, limit: int) -> Iterator[Row]:
    bench = retrieval_set(name)
    services = services_over(bench.corpus, home / name)
    queries = [query for query in bench.queries if is_tuning(bench, query)]
    for query in queries[:: max(1, len(queries) // limit)][:limit]:
        request = ChatRequest(query["text"])
        yield Row(name, query["id"], query["id"], True, "answerable", read(request, services))
        gold = frozenset(bench.qrels.get(query["id"], {}))
        yield Row(name, query["id"], query["id"], True, "unanswerable", read(request, services, gold))
    services.close()


def table(rows: list[Row], names: tuple[str, ...], *, pairs: bool) -> tuple[np.ndarray, np.ndarray]:
    kept = [row for row in rows if row.reading.candidates and row.label != "partial"]
    found = [signals(row.reading if pairs else without_pairs(row.reading)) for row in kept]
    chosen = [NAMES.index(name) for name in names]
    return np.array([astuple(one) for one in found])[:, chosen], np.array([row.label == "answerable" for row in kept])


def without_pairs(reading: Reading) -> Reading:
    """As a reader without a cross-encoder has it, but for the order of sentences, which the signals do not use."""
    bare = tuple(replace(candidate, pair=None) for candidate in reading.candidates)
    return replace(reading, candidates=bare, passage_pairs={})


def auc(sure: np.ndarray, can: np.ndarray) -> float:
    return mannwhitneyu(sure[can], sure[~can]).statistic / (can.sum() * (~can).sum())


def fitted(sources: dict[str, list[Row]], names: tuple[str, ...], *, pairs: bool):
    tables = [table([row for row in rows if row.fitted], names, pairs=pairs) for rows in sources.values()]
    x, y = np.concatenate([t[0] for t in tables]), np.concatenate([t[1] for t in tables])
    weight = np.concatenate([np.where(t[1], POSITIVE_SHARE / t[1].sum(), (1 - POSITIVE_SHARE) / (~t[1]).sum())
                             for t in tables])  # fmt: skip
    weight *= len(weight) / weight.sum()
    means, scales = x.mean(axis=0), x.std(axis=0) + 1e-9
    model = LogisticRegression(C=C, max_iter=5_000).fit((x - means) / scales, y, sample_weight=weight)
    trees = GradientBoostingClassifier(n_estimators=80, max_depth=2, learning_rate=0.07, subsample=0.7, random_state=0)
    trees.fit(x, y, sample_weight=weight)
    return model, trees, means, scales, len(y)


def averaged(model, names: tuple[str, ...], means: np.ndarray, scales: np.ndarray) -> tuple[float, np.ndarray]:
    """Intercept and coefficients of the mean of the fitted model's logit and the prior's."""
    prior = np.array([PRIOR.get(name, 0.0) for name in names])
    intercept = (float(model.intercept_[0]) + PRIOR_INTERCEPT + float(prior @ means)) / 2
    return intercept, (model.coef_[0] + prior * scales) / 2


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--home", type=Path, default=Path(".bench"))
    arguments.add_argument("--cache", type=Path, default=Path(".bench/readings"))
    arguments.add_argument("--limit", type=int, default=150)
    arguments.add_argument("--write", action="store_true")
    given = arguments.parse_args()
    cache, all_tasks = Cache(given.cache), {}
    for name, path in (("clapnq", "retrieval/clapnq"), ("mtrag", "conversations/mtrag_tasks.jsonl.gz")):
        all_tasks[name] = read_tasks(bench_root() / path)
    rows: dict[str, list[Row]] = {}
    for name, found in all_tasks.items():

        def services(found=found, name=name) -> Services:
            from app.bootstrap import build
            from app.settings import load_settings
            from evals.bench.corpus import ingest_rows

            joined = build(load_settings(home=given.home / name))
            for corpus, documents in found.corpora.items():
                ingest_rows(joined, documents, corpus)
            return joined

        tasks = list(found.tasks)
        rows[f"{name}_given"] = cache.rows(f"{name}_given", lambda t=tasks, n=name, s=services: given_rows(n, t, s()))
        rows[f"{name}_found"] = cache.rows(f"{name}_found", lambda t=tasks, n=name, s=services: found_rows(n, t, s()))
    for name in ("xquad_en", "anthropic_docs"):
        rows[name] = cache.rows(name, lambda n=name: left_out_rows(n, given.home, given.limit))
    sources = {name: found for name, found in rows.items() if not name.startswith("mtrag")}
    for path, pairs in ((WITH_PAIRS, True), (WITHOUT_PAIRS, False)):
        names = tuple(n for n in NAMES if n not in DROPPED and (pairs or n not in PAIRS))
        model, trees, means, scales, n = fitted(sources, names, pairs=pairs)
        print(path.name, "fitted on", n, "rows of", ", ".join(sources))
        for name, found in rows.items():
            unseen = [row for row in found if name.startswith("mtrag") or not row.fitted]
            if unseen:
                x, can = table(unseen, names, pairs=pairs)
                logit, boosted = model.decision_function((x - means) / scales), trees.predict_proba(x)[:, 1]
                print(f"  {name}: n={len(can)} ({can.sum()} answerable) AUC logistic {auc(logit, can):.3f},"
                      f" boosted trees {auc(boosted, can):.3f}")  # fmt: skip
        intercept, coefficients = averaged(model, names, means, scales)
        columns = zip(means, scales, coefficients, strict=True)
        weights = {name: [round(float(v), 5) for v in row] for name, row in zip(names, columns, strict=True)}
        for name, row in weights.items():
            print(f"    {name:16} weight {row[2]:+.2f}")
        known = json.loads(path.read_text()) if path.exists() else {}
        body = {"format": 1, "fitted_on": f"{n} rows: fitting halves of {', '.join(sources)}",
                "threshold": known.get("threshold", 0.5), "intercept": round(intercept, 5),
                "signals": weights}  # fmt: skip
        if given.write:
            path.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
