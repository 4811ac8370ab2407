"""What an index is in Milvus: the fields of its collections and their rows."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pymilvus import DataType, MilvusClient

from retrieval.embedders.port import Vectors
from retrieval.errors import Unsupported
from retrieval.ids import digest
from retrieval.index.bm25 import K1, B
from retrieval.index.contents import IndexContents

MAX_LIMIT = 16_384
"""Most rows that Milvus gives for one query."""
SLACK = 64
"""Asked for beyond `k`, so that among equal scores the lower rows can be taken."""
BATCH = 1_000
PART_CHARS = 15_000
"""A text field holds 65,535 bytes, and a character up to four."""


@dataclass(frozen=True, slots=True)
class Collections:
    """The names of an index's collections."""

    key: str

    @classmethod
    def of(cls, corpus: str, snapshot: str) -> "Collections":
        """Those of a snapshot."""
        return cls(digest(f"{corpus}\0{snapshot}"))

    def dense(self, number: int) -> str:
        """Of the vectors of an embedder, by its number."""
        return f"assay_{self.key}_vectors_{number}"

    @property
    def words(self) -> str:
        """Of the words and places."""
        return f"assay_{self.key}_words"

    @property
    def meta(self) -> str:
        """Of labels and vocabulary."""
        return f"assay_{self.key}_meta"

    def owns(self, name: str) -> bool:
        """Whether a collection is of this index."""
        return name.startswith(f"assay_{self.key}_")


@dataclass(frozen=True, slots=True)
class Words:
    """The vocabulary of each tenant: a word's dimension in the sparse vectors, and in how many rows it stands."""

    rows: Mapping[str, int]
    """By tenant."""
    mean_words: Mapping[str, float]
    vocabulary: Mapping[str, Mapping[str, tuple[int, int]]] = field(repr=False)
    """By tenant and word: (dimension, rows that hold it)."""

    @classmethod
    def of(cls, contents: IndexContents) -> "Words":
        """Count the words of an index. Dimension 0 is of no word: it stands for rows without any."""
        rows, mean, vocabulary, dimension = {}, {}, {}, 1
        for tenant, first, after in contents.rows.tenants():
            held = Counter(word for row in contents.words[first:after] for word in set(row))
            vocabulary[tenant] = {word: (dimension + i, held[word]) for i, word in enumerate(sorted(held))}
            dimension += len(held)
            rows[tenant] = after - first
            mean[tenant] = sum(map(len, contents.words[first:after])) / (after - first)
        return cls(rows, mean, vocabulary)

    def weighted(self, tenant: str, words: Mapping[str, float]) -> dict[int, float]:
        """A question as a sparse vector: by dimension, the word's weight times its idf (Lucene's, as bm25s has it)."""
        known, rows = self.vocabulary.get(tenant, {}), self.rows.get(tenant, 0)
        found = {}
        for word, weight in words.items():
            if word in known and weight > 0:
                dimension, held = known[word]
                found[dimension] = weight * math.log(1 + (rows - held + 0.5) / (held + 0.5))
        return found

    def impacts(self, tenant: str, words: Sequence[str]) -> dict[int, float]:
        """A row as a sparse vector: by dimension, what is left of BM25 when the idf is taken away."""
        if not words:
            return {0: 1.0}
        norm = K1 * (1 - B + B * len(words) / self.mean_words[tenant])
        return {self.vocabulary[tenant][word][0]: tf / (tf + norm) for word, tf in Counter(words).items()}

    def told(self) -> list[Any]:
        """As JSON: dimensions follow from the order."""
        return [
            [tenant, self.rows[tenant], self.mean_words[tenant], [[w, held] for w, (_, held) in known.items()]]
            for tenant, known in self.vocabulary.items()
        ]

    @classmethod
    def read(cls, told: Sequence[Any]) -> "Words":
        """What `told` said."""
        vocabulary, dimension = {}, 1
        for tenant, _, _, known in told:
            vocabulary[tenant] = {word: (dimension + i, held) for i, (word, held) in enumerate(known)}
            dimension += len(known)
        return cls({t: rows for t, rows, _, _ in told}, {t: mean for t, _, mean, _ in told}, vocabulary)


def dense_schema(dimensions: int) -> Any:
    """Rows with their vectors.

    Raises:
        Unsupported: Milvus holds no vector of one dimension.
    """
    if dimensions < 2:
        raise Unsupported("Milvus holds vectors of 2 dimensions and more.")
    schema = _schema()
    schema.add_field("kind", DataType.INT64)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimensions)
    return schema


def words_schema() -> Any:
    """Rows with their words as a sparse vector, and their places."""
    schema = _schema()
    schema.add_field("kind", DataType.INT64)
    schema.add_field("words", DataType.SPARSE_FLOAT_VECTOR)
    for name in ("doc_id", "version"):
        schema.add_field(name, DataType.VARCHAR, max_length=64)
    for name in ("start", "end"):
        schema.add_field(name, DataType.INT64)
    return schema


def meta_schema(*, catalogue: bool = False) -> Any:
    """Rows of text. Every collection must have a vector; theirs says nothing."""
    schema = MilvusClient.create_schema(auto_id=False)
    if catalogue:
        schema.add_field("key", DataType.VARCHAR, is_primary=True, max_length=64)
        for name, length in (("corpus", 400), ("snapshot", 400), ("said", 65_535)):
            schema.add_field(name, DataType.VARCHAR, max_length=length)
    else:
        schema.add_field("part", DataType.INT64, is_primary=True)
        schema.add_field("text", DataType.VARCHAR, max_length=65_535)
    schema.add_field("none", DataType.FLOAT_VECTOR, dim=2)
    return schema


def fill_rows(vectors: Vectors, kinds: Sequence[int]) -> Iterator[list[dict[str, Any]]]:
    """The rows of a collection of vectors, batch by batch."""
    for first in range(0, len(vectors), BATCH):
        yield [
            {"row": row, "kind": kinds[row], "vector": np.asarray(vectors[row], np.float32).tolist()}
            for row in range(first, min(first + BATCH, len(vectors)))
        ]


def word_rows(contents: IndexContents, words: Words, kinds: Sequence[int]) -> Iterator[list[dict[str, Any]]]:
    """The rows of the collection of words, batch by batch."""
    rows, batch = contents.rows, []
    for tenant, first, after in rows.tenants():
        for row in range(first, after):
            doc_id, version = rows.documents[int(rows.document[row])]
            batch.append(
                {
                    "row": row,
                    "kind": kinds[row],
                    "words": words.impacts(tenant, contents.words[row]),
                    "doc_id": doc_id,
                    "version": version,
                    "start": int(rows.start[row]),
                    "end": int(rows.end[row]),
                }
            )
            if len(batch) == BATCH:
                yield batch
                batch = []
    if batch:
        yield batch


def lines(said: object) -> Iterator[list[dict[str, Any]]]:
    """A value as rows of text."""
    text = json.dumps(said)
    for part, first in enumerate(range(0, len(text), PART_CHARS)):
        yield [{"part": part, "text": text[first : first + PART_CHARS], "none": [0.0, 0.0]}]


def _schema() -> Any:
    schema = MilvusClient.create_schema(auto_id=False)
    schema.add_field("row", DataType.INT64, is_primary=True)
    return schema
