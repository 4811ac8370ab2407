"""Contents of indexes for the contract, and what a search of them must find, computed the plain way in float64."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.embedders.port import Vectors
from retrieval.index.contents import DocumentColumn, IndexContents, LabelColumn, Rows
from retrieval.types import SHARED, Labels, Scope

K1, B = 1.2, 0.5
TOLERANCE = 1e-4
"""Of a score: float32 sums in another order differ in the sixth digit."""
WORDS = [f"word{i}" for i in range(40)]
DIMENSIONS = {"large": 24, "small": 7}


@dataclass(frozen=True)
class Doc:
    """A document of some chunks, each a list of words; vectors are drawn where none are given."""

    labels: Labels
    chunks: Sequence[Sequence[str]]


def contents(docs: Sequence[Doc], seed: int = 0, dimensions: Mapping[str, int] = DIMENSIONS) -> IndexContents:
    """The documents, tenant by tenant, as an index takes them; vectors are random and of length one."""
    docs = sorted(docs, key=lambda doc: doc.labels.tenant)
    words = [list(chunk) for doc in docs for chunk in doc.chunks]
    rng = np.random.default_rng(seed)
    rows = Rows(
        DocumentColumn.of([(f"{i:016x}", f"{seed:016x}") for i in range(len(docs))]),
        LabelColumn.of([doc.labels for doc in docs]),
        np.repeat(np.arange(len(docs), dtype=np.int32), [len(doc.chunks) for doc in docs]).astype(np.int32),
        np.array([100 * j for doc in docs for j in range(len(doc.chunks))], dtype=np.int32),
        np.array([100 * j + 90 for doc in docs for j in range(len(doc.chunks))], dtype=np.int32),
    )
    return IndexContents(rows, {name: unit(rng, len(words), d) for name, d in sorted(dimensions.items())}, words)


def unit(rng: np.random.Generator, count: int, dimensions: int) -> Vectors:
    """Random vectors of length one, (count, dimensions) float32."""
    drawn = rng.normal(size=(count, dimensions))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def some_docs(seed: int, count: int, labels: Sequence[Labels]) -> list[Doc]:
    """Documents of one to four chunks of words, some frequent and some rare; a chunk may have none."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, len(WORDS) + 1)
    return [
        Doc(
            labels[int(rng.integers(len(labels)))],
            [
                [str(w) for w in rng.choice(WORDS, size=int(rng.integers(0, 12)), p=share / share.sum())]
                for _ in range(int(rng.integers(1, 5)))
            ],
        )
        for _ in range(count)
    ]


def dense_scores(held: IndexContents, embedder: str, query: Vectors, scope: Scope) -> dict[int, float]:
    """The inner product of each admitted row."""
    scores = held.vectors[embedder].astype(np.float64) @ query.astype(np.float64)
    return {row: float(scores[row]) for row in admitted(held, scope)}


def word_scores(held: IndexContents, words: Mapping[str, float], scope: Scope) -> dict[int, float]:
    """Lucene's BM25 of each admitted row that holds one of the words, with the statistics of its own tenant."""
    allowed, found = set(admitted(held, scope)), {}
    for tenant, first, after in held.rows.tenants():
        if tenant not in (scope.access.tenant, SHARED):
            continue
        texts = [Counter(held.words[row]) for row in range(first, after)]
        length = sum(text.total() for text in texts) / len(texts)
        for word, weight in words.items():
            frequency = sum(word in text for text in texts)
            idf = math.log(1 + (len(texts) - frequency + 0.5) / (frequency + 0.5))
            for row, text in enumerate(texts, start=first):
                if text[word] and row in allowed:
                    norm = K1 * (1 - B + B * text.total() / length) + text[word]
                    found[row] = found.get(row, 0.0) + weight * idf * text[word] / norm
    return found


def admitted(held: IndexContents, scope: Scope) -> NDArray[np.int64]:
    """The rows that the scope admits, said here once more in other words than those that are tested."""
    asks = scope.access
    seen = [
        labels.tenant in {asks.tenant, SHARED}
        and (labels.groups == () or len(asks.groups & set(labels.groups)) > 0)
        and scope.where.items() <= dict(labels.attributes).items()
        for labels in held.rows.labels
    ]
    return np.flatnonzero([seen[i] for i in held.rows.document])
