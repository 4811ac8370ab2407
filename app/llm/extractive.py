"""The default provider: picks the sentences that answer. Deterministic; invents nothing."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from app.llm.answerable import Signals, probability
from app.llm.port import DraftPart, DraftRequest, DraftText
from app.sentences import sentences
from retrieval.embedders.port import Vectors
from retrieval.types import Passage
from retrieval.words import content_words

Embed = Callable[[Sequence[str]], Vectors]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that could answer, with what speaks for it. All scores are in [0, 1] but `cosine`, in [-1, 1]."""

    text: str
    passage: int
    order: int
    cosine: float
    overlap: float
    score: float


@dataclass(frozen=True, slots=True)
class Extractive:
    """Ranks sentences by meaning, shared words and the rank of their passage."""

    embed: Embed
    executor: Executor
    min_answerable: float = 0.08
    max_sentences: int = 3
    read_passages: int = 5
    cosine_part: str = "minilm"
    """The part of a passage's score that is a cosine of the same embedder."""
    name: str = "extractive"

    async def draft(self, request: DraftRequest) -> AsyncGenerator[DraftPart]:
        """Yield the chosen sentences, each a piece of its own; nothing where the passages do not seem to answer."""
        loop = asyncio.get_running_loop()
        for sentence in await loop.run_in_executor(self.executor, self.choose, request.question, request.passages):
            yield DraftText(sentence + "\n")

    async def confidence(self, question: str, passages: Sequence[Passage]) -> float:
        """The probability that the passages answer the question."""
        return await asyncio.get_running_loop().run_in_executor(self.executor, self._confidence, question, passages)

    def _confidence(self, question: str, passages: Sequence[Passage]) -> float:
        ranked = self.rank(question, passages)
        return probability(signals(question, passages, ranked, self.cosine_part)) if ranked else 0.0

    def choose(self, question: str, passages: Sequence[Passage]) -> list[str]:
        """The sentences that answer, in reading order; none below `min_answerable`."""
        ranked = self.rank(question, passages)
        if not ranked or probability(signals(question, passages, ranked, self.cosine_part)) < self.min_answerable:
            return []
        best = ranked[0]
        chosen = [best]
        for candidate in ranked[1:]:
            if len(chosen) == self.max_sentences or candidate.score < _KEEP * best.score:
                break
            if all(_likeness(candidate.text, other.text) < _SAME for other in chosen):
                chosen.append(candidate)
        return [c.text for c in sorted(chosen, key=lambda c: (c.passage != best.passage, c.passage, c.order))]

    def rank(self, question: str, passages: Sequence[Passage]) -> list[Candidate]:
        """All sentences of the first passages that state something, best first."""
        found = [
            (number, order, text)
            for number, passage in enumerate(passages[: self.read_passages])
            for order, span in enumerate(sentences(passage.text))
            if _states_something(text := _LIST_MARK.sub("", passage.text[span.start : span.end]), passage)
        ]
        if not found:
            return []
        vectors = self.embed([question, *(text for _, _, text in found)])
        cosines = vectors[1:] @ vectors[0]
        weights = _rarity([text for _, _, text in found])
        candidates = []
        for (number, order, text), cosine in zip(found, cosines, strict=True):
            overlap = _overlap(question, text, weights)
            score = _COSINE * float(cosine) + _OVERLAP * overlap + _PASSAGE * passages[number].score
            candidates.append(Candidate(text, number, order, float(cosine), overlap, score))
        return sorted(candidates, key=lambda c: (-c.score, c.passage, c.order))


def signals(
    question: str, passages: Sequence[Passage], ranked: Sequence[Candidate], cosine_part: str = "minilm"
) -> Signals:
    """What the ranking says about whether the passages answer the question at all."""
    words = set(content_words(question))
    read = set(content_words(" ".join(f"{p.title} {p.section or ''} {p.text}" for p in passages[:1])))
    return Signals(
        sentence_cosine=max(candidate.cosine for candidate in ranked),
        passage_cosine=max(passage.parts.get(cosine_part, 0.0) for passage in passages),
        best_overlap=max(candidate.overlap for candidate in ranked),
        passage_coverage=len(words & read) / len(words) if words else 0.0,
    )


# Chosen by benchmarks/fit_extractive.py on tuning halves of public sets; docs/benchmarks.md has the table.
_COSINE, _OVERLAP, _PASSAGE = 0.4, 0.3, 0.3
_KEEP = 0.85
_SAME = 0.7
_LIST_MARK = re.compile(r"^(?:[-*•–]|\d{1,3}[.)])\s+")
_ENDS = frozenset(".!。！;")
_LONG_ROW = 12


def _states_something(text: str, passage: Passage) -> bool:
    """Not a heading, a label or a question: at least four words, and ended like a sentence or long like a table row."""
    words = text.split()
    if len(words) < 4 or text[-1] in "?:" or text in (passage.title, *(passage.section or "").split(" > ")):
        return False
    return text.rstrip("\"'”’)]")[-1:] in _ENDS or len(words) >= _LONG_ROW


def _rarity(texts: Sequence[str]) -> Mapping[str, float]:
    """Inverse document frequency of each word over the candidate sentences."""
    counts: dict[str, int] = {}
    for text in texts:
        for word in set(content_words(text)):
            counts[word] = counts.get(word, 0) + 1
    return {word: float(np.log(1 + len(texts) / count)) for word, count in counts.items()}


def _overlap(question: str, text: str, weights: Mapping[str, float]) -> float:
    """Share of the question's words, by rarity, that the sentence holds."""
    rare = max(weights.values(), default=1.0)
    words = set(content_words(question))
    total = sum(weights.get(word, rare) for word in words)
    return sum(weights.get(word, rare) for word in words & set(content_words(text))) / total if total else 0.0


def _likeness(a: str, b: str) -> float:
    """Share of the shorter sentence's words that the other holds: 1 where one repeats a part of the other."""
    left, right = set(content_words(a)), set(content_words(b))
    return len(left & right) / min(len(left), len(right)) if left and right else 1.0
