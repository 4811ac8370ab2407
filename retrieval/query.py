"""What a question means to each part of the search, the questions before it in the conversation included.

A follow-up ("And for pictures?") needs what came before; a change of subject must not drown in it. So nothing is
rewritten: earlier questions count, but less. Without any LLM this finds as much as rewritten queries do
(docs/benchmarks.md).
"""

from collections.abc import Mapping

import numpy as np

from retrieval.embedders.port import Embedder, Vectors
from retrieval.language import ENGLISH, language_of
from retrieval.types import Query
from retrieval.words import index_words

LAST_SHARE = 0.7
"""Of the question itself in the embedding; the rest is that of the whole conversation."""
DECAY = 0.3
"""Weight of a word of the question before, of the one before that its square, and so on."""
EARLIER_QUESTIONS = 3


def conversation(query: Query) -> tuple[str, ...]:
    """The questions that count, oldest first, the one that is asked last."""
    return (*query.earlier[-EARLIER_QUESTIONS:], query.text)


def language(query: Query) -> str:
    """The language of the question."""
    return language_of(query.text)


def weighted_words(query: Query) -> Mapping[str, float]:
    """Each word of the conversation with its weight; of a word that comes twice the higher one, times its count.

    A question in another language than English has its words as that language's documents have them, and as English
    ones have them: names are the same in both.
    """
    weights: dict[str, float] = {}
    spoken = {ENGLISH, language(query)}
    for age, asked in enumerate(reversed(conversation(query))):
        counted: dict[str, float] = {}
        for tongue in sorted(spoken):
            own: dict[str, float] = {}
            for word in index_words(asked, tongue):
                own[word] = own.get(word, 0.0) + DECAY**age
            counted = {word: max(counted.get(word, 0.0), own.get(word, 0.0)) for word in {**counted, **own}}
        for word, weight in counted.items():
            weights[word] = max(weights.get(word, 0.0), weight)
    return weights


def vector(query: Query, embedder: Embedder) -> Vectors:
    """The embedding to search with: (dimensions,) float32 of length one."""
    asked = embedder.embed_query(query.text)
    if not query.earlier:
        return asked
    mixed = LAST_SHARE * asked + (1 - LAST_SHARE) * embedder.embed_query(" ".join(conversation(query)))
    length = float(np.linalg.norm(mixed))
    return np.asarray(mixed / length, dtype=np.float32) if length > 0 else asked
