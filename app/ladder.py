"""How a turn gets by with less: the steps of the degradation ladder, each a value that takes another's place."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.budget import Budget, Step
from app.llm.port import DraftRequest, Provider
from app.llm.resilient import affordable
from app.llm.short_circuit import ShortCircuit
from app.settings import ChatSettings, LadderSettings
from app.types import ChatRequest
from retrieval.rerankers.port import KeepOrder, Reranker
from retrieval.search import Retriever
from retrieval.types import Passage

MOST_RESERVE_S = 2.0
RERANK_PART = 0.5
"""Of the time that is left when its turn comes, the most that the reranker may take."""


def limits(request: ChatRequest, settings: ChatSettings) -> tuple[float, float | None]:
    """Deadline (s) and cost ceiling (USD) of a turn: a request may lower the settings', never raise them."""
    deadline = settings.deadline_s if request.deadline_s is None else min(settings.deadline_s, request.deadline_s)
    ceilings = [usd for usd in (settings.max_cost_usd, request.max_cost_usd) if usd is not None]
    return deadline, min(ceilings, default=None)


def reserve_s(deadline_s: float, ladder: LadderSettings) -> float:
    """What is kept back from models, so that the extractive answerer can still answer."""
    return min(MOST_RESERVE_S, ladder.extractive * deadline_s)


@dataclass(frozen=True, slots=True)
class WhileThereIsTime:
    """A reranker that is asked only if there is time when its turn comes, however long the first stage had to wait."""

    reranker: Reranker
    budget: Budget
    share: float

    @property
    def name(self) -> str:
        """Of the reranker within."""
        return self.reranker.name

    @property
    def fingerprint(self) -> str:
        """Of the reranker within."""
        return self.reranker.fingerprint

    @property
    def depth(self) -> int:
        """Of the reranker within."""
        return self.reranker.depth

    def warm_up(self) -> None:
        """Load what the reranker within needs."""
        self.reranker.warm_up()

    def rerank(self, query: str, passages: Sequence[Passage]) -> list[Passage]:
        """The passages in a better order, or as they came."""
        if self.budget.share() < self.share:
            self.budget.degrade(Step.SKIP_RERANK)
            return list(passages)
        return self.reranker.within(self.budget.left_s() * RERANK_PART).rerank(query, passages)

    def within(self, timeout_s: float) -> "WhileThereIsTime":
        """The same, with less time for the reranker within."""
        return replace(self, reranker=self.reranker.within(timeout_s))


def in_time(retriever: Retriever, budget: Budget, ladder: LadderSettings) -> Retriever:
    """A retriever whose reranker looks at the clock."""
    if isinstance(retriever.reranker, KeepOrder):
        return retriever
    return replace(retriever, reranker=WhileThereIsTime(retriever.reranker, budget, ladder.skip_rerank))


@dataclass(frozen=True, slots=True)
class Answerers:
    """Who may write the draft: a model, perhaps a smaller one for when it is tight, and who answers without a model."""

    model: Provider
    extractive: Provider
    smaller: Provider | None = None
    short_circuit: ShortCircuit | None = None

    def plan(
        self, asked: DraftRequest, ladder: LadderSettings, sure: float
    ) -> tuple[DraftRequest, tuple[Provider, ...]]:
        """What is asked, and of whom: each in turn, until one has something to say that stands up.

        `sure` is the probability that the extractive answer is right.
        """
        if self.model is self.extractive or not asked.passages:
            return asked, (self.extractive,)
        budget, model = asked.budget, self.model
        circuit = self.short_circuit
        if circuit is not None and circuit.takes(sure):
            return asked, (self.extractive, self.model)
        share = budget.share()
        fewer = replace(asked, passages=asked.passages[: ladder.few])
        short = share < ladder.fewer_passages or not affordable(model, asked)
        if short and len(fewer.passages) < len(asked.passages):
            asked = fewer
            budget.degrade(Step.FEWER_PASSAGES)
        if self.smaller is not None and (share < ladder.smaller_model or not affordable(model, asked)):
            model = self.smaller
            budget.degrade(Step.SMALLER_MODEL)
        if share < ladder.extractive or not affordable(model, asked):
            budget.degrade(Step.EXTRACTIVE)
            return asked, (self.extractive,)
        return asked, (model, self.extractive)
