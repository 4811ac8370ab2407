"""One decision a turn, after the search and before any draft: answer, answer partly, ask back, or say no."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass

from app.deciding.asks import parts
from app.deciding.calibration import Calibrations
from app.deciding.clarify import meanings
from app.deciding.model import Logistic
from app.deciding.signals import signals
from app.deciding.wording import topics
from app.reading import Reading, SentenceReader
from app.types import Action, ChatRequest
from retrieval.types import Passage

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with a question.

    `probability` is that of a right answer. `missing` are parts of the question without one, `options` what could be
    meant, or the nearest topics; `reading` is what was read on the way, for whoever answers from the same passages.
    """

    action: Action
    probability: float
    missing: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    reading: Reading | None = None

    @property
    def answers(self) -> bool:
        """Whether an answer is due, in full or in part."""
        return self.action in (Action.ANSWER, Action.PARTLY)


Decide = Callable[[str, ChatRequest, tuple[Passage, ...]], Awaitable[Decision]]
"""Given a question that stands on its own, the request that it came from, and what was found."""


@dataclass(frozen=True, slots=True)
class Decider:
    """Reads the passages, weighs the signals, and holds the probability against the threshold of the corpus."""

    reader: SentenceReader
    model: Logistic
    executor: Executor
    calibrations: Calibrations
    threshold: float | None = None
    """In place of the shipped one and of any calibration."""
    clarifies: bool = True

    async def decide(self, question: str, request: ChatRequest, passages: tuple[Passage, ...]) -> Decision:
        """Decide, off the event loop."""
        work = asyncio.get_running_loop().run_in_executor
        return await work(self.executor, self.decided, question, request, passages)

    def decided(self, question: str, request: ChatRequest, passages: Sequence[Passage]) -> Decision:
        """The decision, in this thread."""
        reading = self.reader.read(question, passages)
        if not reading.candidates:
            return Decision(Action.ABSTAIN, 0.0, options=topics(passages), reading=reading)
        probability, least = self.probability(reading), self.least(request.corpus)
        self.calibrations.saw(request.corpus, probability)
        if self.clarifies and not request.history and (options := meanings(request.question, reading)):
            return Decision(Action.CLARIFY, probability, options=options, reading=reading)
        asked = parts(question)
        if len(asked) > 1:
            return self._by_parts(asked, reading, probability, least)
        if probability < least:
            return Decision(Action.ABSTAIN, probability, options=topics(passages), reading=reading)
        return Decision(Action.ANSWER, probability, reading=reading)

    def probability(self, reading: Reading) -> float:
        """The probability that an answer from this reading is right."""
        return self.model.probability(asdict(signals(reading)))

    def least(self, corpus: str) -> float:
        """The probability from which on questions to a corpus are answered."""
        if self.threshold is not None:
            return self.threshold
        calibrated = self.calibrations.threshold(corpus)
        return self.model.threshold if calibrated is None else calibrated

    def versions(self) -> dict[str, str]:
        """What decides, for the release manifest: the model, and the calibration of each corpus."""
        calibrated = {f"calibration {corpus}": found for corpus, found in self.calibrations.versions().items()}
        return {"decision": self.calibrations.made_by, **calibrated}

    def _by_parts(self, asked: Sequence[str], reading: Reading, whole: float, least: float) -> Decision:
        """A question of several parts is answered where it is answered as a whole or in one of its parts.

        A later part is read after the first one, which names what it is about.
        """
        read = [self.reader.read(part if i == 0 else f"{asked[0]} {part}", reading.passages)
                for i, part in enumerate(asked)]  # fmt: skip
        found = [self.probability(one) if one.candidates else 0.0 for one in read]
        missing = tuple(part for part, sure in zip(asked, found, strict=True) if sure < least)
        if len(missing) == len(asked) and whole < least:
            return Decision(Action.ABSTAIN, whole, options=topics(reading.passages), reading=reading)
        if not missing or len(missing) == len(asked):
            return Decision(Action.ANSWER, max(whole, *found), reading=reading)
        return Decision(Action.PARTLY, max(found), missing, reading=reading)
