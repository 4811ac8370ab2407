"""Sentences of passages, ranked by how well each answers a question. Deterministic."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.sentences import sentences
from retrieval.embedders.port import Vectors
from retrieval.rerankers.cross_encoder import PART, PairScorer
from retrieval.types import Passage
from retrieval.words import content_words

Embed = Callable[[Sequence[str]], Vectors]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that could answer, with what speaks for it.

    Scores are in [0, 1] but `cosine`, in [-1, 1]. `pair` is the cross-encoder's, None where it was not asked.
    """

    text: str
    passage: int
    order: int
    cosine: float
    overlap: float
    score: float
    pair: float | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read for a question: all sentences of the first passages that state something, best first."""

    question: str
    passages: tuple[Passage, ...]
    candidates: tuple[Candidate, ...]
    passage_pairs: Mapping[int, float]
    """The cross-encoder's score of passages, by their place; those that it was not shown are absent."""
    passage_cosines: tuple[float, ...] = ()
    """Of the first passages and the question."""


# Chosen on tuning halves of public sets, on a plateau; see "The default answerer" in DECISIONS.md.
_COSINE, _OVERLAP, _PASSAGE = 0.4, 0.3, 0.3
_PAIR = 0.5
"""Share of the cross-encoder in the score of a sentence that it has read, by benchmarks/fit_extractive.py."""
_LIST_MARK = re.compile(r"^(?:[-*•–]|\d{1,3}[.)])\s+")
_ENDS = frozenset(".!。！;")
_LONG_ROW = 12


@dataclass(frozen=True, slots=True)
class SentenceReader:
    """Ranks sentences by meaning, shared words and the rank of their passage; the best also by the cross-encoder."""

    embed: Embed
    scorer: PairScorer | None = None
    read_passages: int = 5
    pair_sentences: int = 8
    pair_passages: int = 2
    pair_tokens: int = 900
    """Of questions and texts that the cross-encoder reads for one question."""
    cosine_part: str = "minilm"
    """The part of a passage's score that is a cosine of the same embedder."""

    def read(self, question: str, passages: Sequence[Passage]) -> Reading:
        """Rank; the same input gives the same ranking on any machine."""
        first = self.first_look(question, passages)
        if self.scorer is None or not first.candidates:
            return first
        return self._second_look(first, self.scorer)

    def first_look(self, question: str, passages: Sequence[Passage]) -> Reading:
        """Rank without the cross-encoder."""
        found = [
            (number, order, text)
            for number, passage in enumerate(passages[: self.read_passages])
            for order, span in enumerate(sentences(passage.text))
            if _states_something(text := _LIST_MARK.sub("", passage.text[span.start : span.end]), passage)
        ]
        if not found:
            return Reading(question, tuple(passages), (), _known(passages))
        unknown = [p for p in passages[: self.read_passages] if self.cosine_part not in p.parts]
        vectors = self.embed([question, *(text for _, _, text in found), *(p.text for p in unknown)])
        cosines = (vectors[1:] @ vectors[0]).tolist()
        computed = iter(cosines[len(found) :])
        weights = rarity([text for _, _, text in found])
        candidates = []
        for (number, order, text), cosine in zip(found, cosines, strict=False):
            overlap = shared(question, text, weights)
            score = _COSINE * cosine + _OVERLAP * overlap + _PASSAGE * passages[number].score
            candidates.append(Candidate(text, number, order, cosine, overlap, score))
        return Reading(
            question,
            tuple(passages),
            tuple(_best_first(candidates)),
            _known(passages),
            tuple(
                p.parts[self.cosine_part] if self.cosine_part in p.parts else next(computed)
                for p in passages[: self.read_passages]
            ),
        )

    def _second_look(self, first: Reading, scorer: PairScorer) -> Reading:
        """Have the best sentences, under their title, and passages that the search did not show it, read in pairs."""
        question, passages, ranked = first.question, first.passages, first.candidates
        known = dict(first.passage_pairs)
        unread = [i for i in range(min(self.pair_passages, len(passages))) if i not in known]
        head = ranked[: self.pair_sentences]
        texts = [f"{passages[c.passage].title}. {c.text}" for c in head] + [_titled(passages[i]) for i in unread]
        affordable = self._affordable(question, texts, scorer)
        scores = list(scorer.scores(question, affordable))
        read = [
            replace(c, pair=score, score=(1 - _PAIR) * c.score + _PAIR * score)
            for c, score in zip(head, scores, strict=False)
        ]
        known |= dict(zip(unread, scores[len(head) :], strict=False))
        floor = min((c.score for c in read), default=1.0)
        rest = [replace(c, score=min(c.score, floor)) for c in ranked[len(read) :]]
        return replace(first, candidates=(*_best_first(read), *rest), passage_pairs=known)

    def _affordable(self, question: str, texts: Sequence[str], scorer: PairScorer) -> list[str]:
        left, asked = self.pair_tokens, scorer.count_tokens(question)
        taken: list[str] = []
        for text in texts:
            left -= asked + scorer.count_tokens(text)
            if left < 0 and taken:
                break
            taken.append(text)
        return taken


def rarity(texts: Sequence[str]) -> Mapping[str, float]:
    """Inverse document frequency of each word over the texts."""
    counts: dict[str, int] = {}
    for text in texts:
        for word in set(content_words(text)):
            counts[word] = counts.get(word, 0) + 1
    return {word: float(np.log(1 + len(texts) / count)) for word, count in counts.items()}


def shared(question: str, text: str, weights: Mapping[str, float]) -> float:
    """Share of the question's words, by rarity, that the text holds."""
    rare = max(weights.values(), default=1.0)
    words = set(content_words(question))
    total = sum(weights.get(word, rare) for word in words)
    return sum(weights.get(word, rare) for word in words & set(content_words(text))) / total if total else 0.0


def _known(passages: Sequence[Passage]) -> dict[int, float]:
    return {number: passage.parts[PART] for number, passage in enumerate(passages) if PART in passage.parts}


def _titled(passage: Passage) -> str:
    return f"{passage.title}\n{passage.text}"


def _best_first(candidates: Sequence[Candidate]) -> list[Candidate]:
    return sorted(candidates, key=lambda c: (-c.score, c.passage, c.order))


def _states_something(text: str, passage: Passage) -> bool:
    """Not a heading, a label or a question: at least four words, and ended like a sentence or long like a table row."""
    words = text.split()
    if len(words) < 4 or text[-1] in "?:" or text in (passage.title, *(passage.section or "").split(" > ")):
        return False
    return text.rstrip("\"'”’)]")[-1:] in _ENDS or len(words) >= _LONG_ROW
