"""The default provider: picks the sentences that answer. Deterministic; invents nothing."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from app.llm.port import DraftPart, DraftRequest, DraftText
from app.reading import Candidate, Reading, SentenceReader
from retrieval.types import Passage
from retrieval.words import content_words


@dataclass(frozen=True, slots=True)
class Extractive:
    """Says the best sentences of a reading. Whether the passages answer at all was decided before."""

    reader: SentenceReader
    executor: Executor
    max_sentences: int = 2
    name: str = "extractive"

    async def draft(self, request: DraftRequest) -> AsyncGenerator[DraftPart]:
        """Yield the chosen sentences, each a piece of its own."""
        reading = request.reading
        if reading is None:
            loop = asyncio.get_running_loop()
            reading = await loop.run_in_executor(self.executor, self.reader.read, request.question, request.passages)
        for sentence in self.chosen(reading):
            yield DraftText(sentence + "\n")

    def choose(self, question: str, passages: Sequence[Passage]) -> list[str]:
        """The sentences that answer, in reading order."""
        return self.chosen(self.reader.read(question, passages))

    def chosen(self, reading: Reading) -> list[str]:
        """The best sentence, and others that are about as good and say something else, in reading order."""
        if not reading.candidates:
            return []
        best = reading.candidates[0]
        taken: list[Candidate] = [best]
        for candidate in reading.candidates[1:]:
            if len(taken) == self.max_sentences or candidate.score < _KEEP * best.score:
                break
            if all(_likeness(candidate.text, other.text) < _SAME for other in taken):
                taken.append(candidate)
        return [c.text for c in sorted(taken, key=lambda c: (c.passage != best.passage, c.passage, c.order))]


_KEEP = 0.7
"""Share of the best score from which on a second sentence is shown, by benchmarks/fit_extractive.py."""
_SAME = 0.7


def _likeness(a: str, b: str) -> float:
    """Share of the shorter sentence's words that the other holds: 1 where one repeats a part of the other."""
    left, right = set(content_words(a)), set(content_words(b))
    return len(left & right) / min(len(left), len(right)) if left and right else 1.0
