"""Made-up corpora of any size, always the same: vectors with the neighbourhoods of real ones, words as Zipf found them.

Vectors, 384 dimensions, are sums of Gaussians whose variance falls with the dimension as 1/i, as the spectrum of real
embeddings does: 200 subjects, 4,000 topics (.6 subject), documents of 5 chunks (.85 topic), chunks (.9 document). A
question is .8 of a chunk. Words: 50 a chunk, the rank r with a probability as 1 / (r + 50): stop words are left out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from retrieval.index.contents import DocumentColumn, IndexContents, LabelColumn, Rows
from retrieval.types import Labels, Scope

DIMENSIONS, CHUNKS_PER_DOCUMENT, WORDS_PER_CHUNK = 384, 5, 50
SUBJECTS, TOPICS = 200, 4_000
QUESTIONS, WORDS_PER_QUESTION = 200, 5
Floats = NDArray[np.float32]

FILTERS = {
    "none": Scope(),
    "10 %": Scope(where={"tenth": True}),
    "10 % by subject": Scope(where={"subject": True}),
    "1 %": Scope(where={"hundredth": True}),
    "0.1 %": Scope(where={"thousandth": True}),
    "0.01 %": Scope(where={"ten-thousandth": True}),
}


@dataclass(frozen=True)
class Words(Sequence[list[str]]):
    """Rows of words, made when they are read: `ids` is (rows, words)."""

    ids: NDArray[np.int32]
    names: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, number: int) -> list[str]: ...
    @overload
    def __getitem__(self, number: slice) -> "Words": ...
    def __getitem__(self, number: int | slice) -> Any:
        if isinstance(number, slice):
            return Words(self.ids[number], self.names)
        return self.names[self.ids[number]].tolist()

    def __iter__(self) -> Iterator[list[str]]:
        return (self.names[row].tolist() for row in self.ids)


@dataclass(frozen=True)
class Made:
    """A corpus and questions about it: vectors (questions, dimensions), and words of each."""

    contents: IndexContents
    questions: Floats
    question_words: list[dict[str, float]]


def make(rows: int, folder: Path) -> Made:
    """A corpus of so many chunks; its vectors lie in a file in `folder`."""
    random = np.random.default_rng(rows)
    documents = -(-rows // CHUNKS_PER_DOCUMENT)
    document = (np.arange(rows) // CHUNKS_PER_DOCUMENT).astype(np.int32)
    subjects = _gauss(random, SUBJECTS)
    subject_of = random.integers(0, SUBJECTS, TOPICS)
    topics = _mixed(subjects[subject_of], _gauss(random, TOPICS), 0.6)
    topic_of = random.integers(0, TOPICS, documents)
    centres = _mixed(topics[topic_of], _gauss(random, documents), 0.85)
    vectors = np.lib.format.open_memmap(folder / "vectors.npy", "w+", np.float32, (rows, DIMENSIONS))
    for start in range(0, rows, 50_000):
        of = document[start : start + 50_000]
        vectors[start : start + 50_000] = _unit(_mixed(centres[of], _gauss(random, len(of)), 0.9))
    vectors.flush()
    asked = random.integers(0, rows, QUESTIONS)
    questions = _unit(_mixed(vectors[np.sort(asked)], _unit(_gauss(random, QUESTIONS)), 0.8))
    words = _words(random, rows)
    sets = [random.choice(words[row], WORDS_PER_QUESTION, replace=False) for row in np.sort(asked).tolist()]
    begins = (np.arange(rows) % CHUNKS_PER_DOCUMENT * 800).astype(np.int32)
    names = np.array([f"{i:016x}" for i in range(documents)], dtype="S16")
    labels = _labels(documents, subject_of[topic_of] % 10 == 0)
    held = Rows(DocumentColumn(np.stack([names, names], axis=1)), labels, document, begins, begins + 800)
    return Made(IndexContents(held, {"made": vectors}, words), questions, [dict.fromkeys(some, 1.0) for some in sets])


def _labels(documents: int, by_subject: NDArray[np.bool_]) -> LabelColumn:
    """Every tenth document, hundredth and so on, and every tenth subject; spread evenly, the first one has them all."""
    numbers = np.arange(documents)
    step = np.sum([numbers % 10**power == 0 for power in (1, 2, 3, 4)], axis=0)
    marks = ["tenth", "hundredth", "thousandth", "ten-thousandth"]
    kinds = [
        Labels(attributes=dict.fromkeys(marks[:many], True) | ({"subject": True} if subject else {}))
        for subject in (False, True)
        for many in range(5)
    ]
    return LabelColumn(tuple(kinds), (by_subject * 5 + step).astype(np.int32))


def _words(random: np.random.Generator, rows: int) -> Words:
    many = min(500_000, int(20 * rows**0.75))
    chance = np.cumsum(1 / (np.arange(many) + 50))
    ids = np.empty((rows, WORDS_PER_CHUNK), dtype=np.int32)
    for start in range(0, rows, 100_000):
        drawn = random.random((min(100_000, rows - start), WORDS_PER_CHUNK)) * chance[-1]
        ids[start : start + 100_000] = np.searchsorted(chance, drawn)
    return Words(ids, np.array([f"w{i}" for i in range(many)], dtype=np.object_))


def _gauss(random: np.random.Generator, count: int) -> Floats:
    """(count, dimensions), of expected length 1; the variance of dimension i is as 1 / (i + 8)."""
    deviation = 1 / np.sqrt(np.arange(DIMENSIONS, dtype=np.float32) + 8)
    drawn = random.standard_normal((count, DIMENSIONS), dtype=np.float32)
    return np.asarray(drawn * (deviation / np.linalg.norm(deviation)), dtype=np.float32)


def _mixed(near: Floats, noise: Floats, weight: float) -> Floats:
    return np.asarray(weight * near + np.sqrt(1 - weight**2) * noise, dtype=np.float32)


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)
