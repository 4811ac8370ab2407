"""The index stores beside each other: same vectors, words and scopes; time of a build and of a query; the same rows?

    python benchmarks/bench_backends.py --rows 10000
    python benchmarks/bench_backends.py --set xquad_en --home /tmp/bench

Synthetic rows are drawn: 384 dimensions around 200 centres, words by Zipf's law, a year of 100; ten tenants with two
groups, or all rows in one. A set's rows, vectors and questions are real. faiss is the reference. Postgres is the one
that tests start, on a Unix socket, with fsync off, unless --postgres-url names another: the way there then counts too.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bench import services_of

from retrieval.config import IndexSettings
from retrieval.embedders.port import Vectors
from retrieval.fusion import Hits
from retrieval.index.contents import IndexContents, Rows
from retrieval.index.port import IndexStore, SnapshotIndex
from retrieval.index.stores import STORES, open_index
from retrieval.query import vector, weighted_words
from retrieval.types import OPEN, SHARED, Access, Labels, Query, Scope
from tests.postgres_server import new_database, running_server

TOP = 10
SAME = 1e-5
"""Scores that differ by less are equal: float32 sums depend on their order."""


@dataclass(frozen=True)
class Asked:
    """One question to the index, with the scopes to ask it in."""

    vectors: Mapping[str, Vectors]
    words: Mapping[str, float]
    wide: Scope
    narrow: Scope


def synthetic(rows: int, queries: int, tenants: int, seed: int = 0) -> tuple[IndexContents, list[Asked]]:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(200, 384))

    def drawn(count: int) -> Vectors:
        found = centres[rng.integers(len(centres), size=count)] + 0.7 * rng.normal(size=(count, 384))
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)

    def words(count: int) -> list[str]:
        return [f"w{n}" for n in np.minimum(rng.zipf(1.15, size=count), 50_000)]

    per_document = 5
    documents = rows // per_document
    owners = np.sort(rng.integers(tenants, size=documents))
    labels = tuple(
        Labels(
            f"tenant{t}" if t else SHARED, ("staff",) if rng.random() < 0.3 else (), {"year": int(rng.integers(100))}
        )
        for t in owners
    )
    order = sorted(range(documents), key=lambda i: labels[i].tenant)
    held = IndexContents(
        Rows(
            tuple((f"{i:016x}", "0" * 16) for i in range(documents)),
            tuple(labels[i] for i in order),
            np.repeat(np.arange(documents, dtype=np.int32), per_document),
            np.tile(np.arange(per_document, dtype=np.int32) * 100, documents),
            np.tile(np.arange(per_document, dtype=np.int32) * 100 + 90, documents),
        ),
        {"dense": drawn(documents * per_document)},
        [words(60) for _ in range(documents * per_document)],
    )
    asked = []
    for query in drawn(queries):
        access = Access(f"tenant{rng.integers(tenants)}", frozenset({"staff"}))
        narrow = Scope(Access(access.tenant), {"year": int(rng.integers(100))})
        asked.append(Asked({"dense": query}, dict.fromkeys(words(8), 1.0), Scope(access), narrow))
    return held, asked


def real(name: str, home: Path, queries: int) -> tuple[IndexContents, list[Asked]]:
    bench, services = services_of(name, home)
    publisher, members = services.snapshots.publisher, services.ingestor.members("default")
    held = publisher.contents(members, publisher.rows(members))
    asked = []
    for row in bench.queries[:queries]:
        query = Query(row["text"])
        vectors = {embedder.name: vector(query, embedder) for embedder in services.retriever.embedders}
        asked.append(Asked(vectors, weighted_words(query), OPEN, OPEN))
    services.close()
    return held, asked


@contextmanager
def opened(backend: str, folder: Path, postgres_url: str | None) -> Iterator[IndexStore]:
    with ExitStack() as stack:
        given: dict[str, object] = {"backend": backend.removesuffix("+graph"), "timeout_s": 60}
        if given["backend"] == "postgres":
            server = stack.enter_context(running_server()) if not postgres_url else None
            given["url"] = stack.enter_context(new_database(server)) if server else postgres_url
        elif given["backend"] == "milvus":
            given["url"] = str(folder / "milvus.db")
        if backend.endswith("+graph"):
            given["graph_rows"] = 1
        store = open_index(IndexSettings.model_validate(given), folder / "indexes")
        stack.callback(store.close)
        yield store


def kinds(asked: Asked) -> dict[str, Callable[[SnapshotIndex], list[Hits]]]:
    """By kind of question, the best rows of each of its searches."""

    def words(index: SnapshotIndex, scope: Scope) -> list[Hits]:
        return [index.matching(asked.words, TOP, scope)]

    def dense(index: SnapshotIndex, scope: Scope) -> list[Hits]:
        return [index.nearest(name, query, TOP, scope) for name, query in asked.vectors.items()]

    found: dict[str, Callable[[SnapshotIndex], list[Hits]]] = {
        "vectors": lambda index: dense(index, asked.wide),
        "words": lambda index: words(index, asked.wide),
        "both": lambda index: [*dense(index, asked.wide), *words(index, asked.wide)],
    }
    if asked.narrow != asked.wide:
        found["both, narrow filter"] = lambda index: [*dense(index, asked.narrow), *words(index, asked.narrow)]
    return found


def share(ours: Sequence[Hits], theirs: Sequence[Hits]) -> float:
    """The share of the reference's rows that were found, or another in its place that scores the same."""
    wanted = sum(len(hits.rows) for hits in theirs)
    same = 0
    for mine, reference in zip(ours, theirs, strict=True):
        for row, score in zip(mine.rows.tolist(), mine.scores.tolist(), strict=True):
            same += row in set(reference.rows.tolist()) or abs(score - float(reference.scores[-1])) < SAME
    return same / wanted if wanted else 1.0


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", type=int, default=10_000)
    arguments.add_argument("--queries", type=int, default=100)
    arguments.add_argument("--tenants", type=int, default=10)
    arguments.add_argument("--set", help="A bench set in place of synthetic rows.")
    arguments.add_argument("--home", type=Path, default=Path(tempfile.gettempdir()) / "assay-bench")
    arguments.add_argument("--backends", nargs="+", default=["faiss", "postgres", "postgres+graph", "milvus"])
    arguments.add_argument("--postgres-url")
    given = arguments.parse_args()
    if given.set:
        held, asked = real(given.set, given.home, given.queries)
    else:
        held, asked = synthetic(given.rows, given.queries, given.tenants)
    print(f"{len(held.rows):,} rows, {', '.join(held.vectors)}, {len(asked)} questions\n")
    print("| backend | build s | question | p50 ms | p95 ms | same ten rows as faiss |\n|---|---|---|---|---|---|")
    reference: dict[tuple[int, str], list[Hits]] = {}
    for backend in given.backends:
        if backend.removesuffix("+graph") not in STORES:
            continue
        with tempfile.TemporaryDirectory() as folder, opened(backend, Path(folder), given.postgres_url) as store:
            began = time.perf_counter()
            store.write("bench", "one", held)
            build, index = time.perf_counter() - began, store.open("bench", "one")
            for kind in kinds(asked[0]):
                kinds(asked[0])[kind](index)  # the first one opens connections
                times, shares = [], []
                for number, question in enumerate(asked):
                    began = time.perf_counter()
                    found = kinds(question)[kind](index)
                    times.append(1000 * (time.perf_counter() - began))
                    shares.append(share(found, reference.setdefault((number, kind), found)))
                p50, p95 = np.quantile(times, [0.5, 0.95])
                print(
                    f"| {backend} | {build:.1f} | {kind} | {p50:.1f} | {p95:.1f} | {np.mean(shares):.3f} |", flush=True
                )


if __name__ == "__main__":
    main()
