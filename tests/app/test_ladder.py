"""What a turn gives up, in which order, and that it ends in time whatever happens."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest

from app.bootstrap import Services
from app.budget import Budget, Step
from app.costs import Price
from app.deciding.decide import Decision
from app.deciding.wording import ABSTENTION
from app.errors import ProviderError
from app.ladder import Answerers, WhileThereIsTime, in_time, limits, reserve_s
from app.llm.counting import counted
from app.llm.port import DraftPart, DraftRequest, DraftText, DraftUsage
from app.llm.scripted import ScriptedProvider
from app.llm.short_circuit import ShortCircuit
from app.pipeline import ChatPipeline, unrecorded
from app.settings import ChatSettings, LadderSettings
from app.types import Action, ChatRequest, Reason, Usage
from retrieval.rerankers.port import KeepOrder
from retrieval.types import Passage

from .llm.upstream import a_passage, a_request
from .test_budget import Clock

QUESTION = "canary release traffic percent new version hour"
TRUE = "A canary release sends 1 percent of the traffic to the new version for one hour."
SECOND = "Roll back within 5 minutes if the error rate doubles."
LADDER = LadderSettings()
PRICES = {"dear": Price(prompt=1000, completion=1000), "cheap": Price(prompt=1, completion=1)}


class Model:
    """Says its draft in one piece each `pause_s`, or fails."""

    def __init__(self, name: str, *pieces: str | Exception, pause_s: float = 0.0) -> None:
        self.name = name
        self.pieces = pieces
        self.pause_s = pause_s

    @counted
    async def draft(self, request: DraftRequest) -> AsyncGenerator[DraftPart]:
        for piece in self.pieces:
            await asyncio.sleep(self.pause_s)
            if isinstance(piece, Exception):
                raise piece
            yield DraftText(piece)
        yield DraftUsage(Usage(100, 10))


def pipeline_of(services: Services, **parts: Any) -> ChatPipeline:
    chat = services.settings.chat.model_copy(update=parts.pop("chat", {}))
    return replace(services.pipeline, settings=chat, prices=PRICES, **parts)


def test_a_request_lowers_limits_and_never_raises_them() -> None:
    settings = ChatSettings(deadline_s=10, max_cost_usd=1)
    assert limits(ChatRequest("?"), settings) == (10, 1)
    assert limits(ChatRequest("?", deadline_s=3, max_cost_usd=0.5), settings) == (3, 0.5)
    assert limits(ChatRequest("?", deadline_s=99, max_cost_usd=9), settings) == (10, 1)
    assert limits(ChatRequest("?", max_cost_usd=9), ChatSettings()) == (60, 9)
    assert reserve_s(60, LADDER) == 2 and reserve_s(2, LADDER) == pytest.approx(0.3)


@dataclass(frozen=True)
class Backwards(KeepOrder):
    allowed_s: float = 99.0

    def rerank(self, query: str, passages: Sequence[Passage]) -> list[Passage]:
        return list(reversed(passages))

    def within(self, timeout_s: float) -> "Backwards":
        return replace(self, allowed_s=timeout_s)


def test_the_reranker_is_asked_while_there_is_time() -> None:
    clock = Clock()
    budget = Budget(10, clock=clock)
    reranker = WhileThereIsTime(Backwards(), budget, 0.5)
    passages = [a_passage("a", "one"), a_passage("b", "two")]
    assert reranker.rerank("?", passages) == passages[::-1]
    assert reranker.within(1.0).reranker == Backwards(1.0)
    clock.now += 6
    assert reranker.rerank("?", passages) == passages
    assert budget.degraded == [Step.SKIP_RERANK]


def test_a_retriever_without_a_reranker_stays_the_same(services: Services) -> None:
    assert in_time(services.retriever, Budget(), LADDER) is services.retriever


async def steps_after(share_used: float, smaller: bool = True, **limits: Any) -> tuple[list[str], int, list[str]]:
    clock = Clock()
    budget = Budget(100, clock=clock, prices=PRICES, **limits)
    clock.now += 100 * share_used
    extractive = Model("extractive")
    answerers = Answerers(Model("dear"), extractive, Model("cheap") if smaller else None)
    asked = replace(a_request(*["text"] * 8), budget=budget)
    asked, plan = answerers.plan(asked, LADDER, sure=0.0)
    return list(budget.degraded), len(asked.passages), [provider.name for provider in plan]


@pytest.mark.parametrize(
    ("share_used", "steps", "passages", "plan"),
    [
        (0.0, [], 8, ["dear", "extractive"]),
        (0.59, [], 8, ["dear", "extractive"]),
        (0.65, ["fewer_passages"], 3, ["dear", "extractive"]),
        (0.75, ["fewer_passages", "smaller_model"], 3, ["cheap", "extractive"]),
        (0.90, ["fewer_passages", "smaller_model", "extractive"], 3, ["extractive"]),
    ],
)
async def test_the_less_time_is_left_the_more_is_given_up(
    share_used: float, steps: list[str], passages: int, plan: list[str]
) -> None:
    assert await steps_after(share_used) == (steps, passages, plan)


@pytest.mark.parametrize(
    ("ceiling", "smaller", "steps", "plan"),
    [
        (10.0, True, [], ["dear", "extractive"]),
        (0.01, True, ["fewer_passages", "smaller_model"], ["cheap", "extractive"]),
        (0.01, False, ["fewer_passages", "extractive"], ["extractive"]),
        (0.00001, True, ["fewer_passages", "smaller_model", "extractive"], ["extractive"]),
    ],
)
async def test_so_does_money(ceiling: float, smaller: bool, steps: list[str], plan: list[str]) -> None:
    found = await steps_after(0.0, smaller, max_cost_usd=ceiling)
    assert (found[0], found[2]) == (steps, plan)


async def test_a_turn_that_fell_back_tells_what_the_model_cost(corpus: Services) -> None:
    pipeline = pipeline_of(corpus, provider=Model("dear", "Elephants never forget their keys."))
    result = await pipeline.run(ChatRequest(QUESTION))
    assert (result.provider, result.reason, result.attempts) == ("extractive", Reason.FELL_BACK, 1)
    assert result.usage_by_provider == {"dear": Usage(100, 10)} and result.usage == Usage(100, 10)
    assert result.cost_usd == pytest.approx(0.11)
    assert result.degraded == ()


async def test_a_model_that_breaks_off_leaves_what_was_verified(corpus: Services) -> None:
    pipeline = pipeline_of(corpus, provider=Model("dear", f"{TRUE}\n", "Roll back", ProviderError("cut")))
    result = await pipeline.run(ChatRequest(QUESTION))
    assert [claim.text for claim in result.claims] == [TRUE]
    assert (result.reason, result.degraded, result.provider) == (Reason.PROVIDER_FAILED, ("cut_short",), "dear")
    assert result.usage.prompt_tokens > 100 and result.usage.completion_tokens > 10, "estimated"


async def test_a_model_that_is_too_slow_is_cut_off_and_extracts_answer_in_time(corpus: Services) -> None:
    pipeline = pipeline_of(corpus, provider=Model("dear", f"{TRUE}\n", pause_s=30.0))
    began = time.monotonic()
    result = await pipeline.run(ChatRequest(QUESTION, deadline_s=0.6))
    assert time.monotonic() - began < 0.6 + 0.25
    assert (result.provider, result.degraded) == ("extractive", ("extractive",)) and TRUE in result.answer


async def test_a_search_that_is_too_slow_ends_in_an_abstention_in_time(corpus: Services) -> None:
    class Slow:
        reranker = KeepOrder()

        async def search(self, *asked: Any) -> Any:
            await asyncio.sleep(30)

    pipeline = pipeline_of(corpus, retriever=Slow(), record=unrecorded)
    began = time.monotonic()
    result = await pipeline.run(ChatRequest(QUESTION, deadline_s=0.3))
    assert time.monotonic() - began < 0.3 + 0.25
    assert result.answer.startswith(ABSTENTION)
    assert (result.reason, result.degraded) == (Reason.OUT_OF_TIME, ("abstain",))


async def test_a_long_draft_that_comes_at_once_is_not_read_past_the_deadline(corpus: Services) -> None:
    draft = " ".join(f"The fee number {n} of the harbour is {n} dollars and nobody knows why." for n in range(20_000))
    pipeline = pipeline_of(corpus, provider=ScriptedProvider([draft], piece_chars=2_000))
    began = time.monotonic()
    result = await pipeline.run(ChatRequest(QUESTION, deadline_s=0.8))
    assert time.monotonic() - began < 0.8 + 0.25
    assert "extractive" in result.degraded and result.claims


async def test_a_sentence_without_end_does_not_eat_the_turn(corpus: Services) -> None:
    pipeline = pipeline_of(corpus, provider=ScriptedProvider(["word " * 20_000], piece_chars=4))
    began = time.monotonic()
    result = await pipeline.run(ChatRequest(QUESTION))
    assert time.monotonic() - began < 2 and result.claims and result.degraded == ("extractive",)


@dataclass
class Sure:
    """Decides to answer, with a given probability, after a while."""

    probability: float
    wait_s: float = 0.0

    async def decide(self, question: str, request: ChatRequest, passages: tuple[Passage, ...]) -> Decision:
        await asyncio.sleep(self.wait_s)
        return Decision(Action.ANSWER, self.probability)

    def versions(self) -> dict[str, str]:
        return {}


async def test_a_confident_extract_spares_the_model(corpus: Services) -> None:
    circuit, model = ShortCircuit(0.8), Model("dear", f"{SECOND}\n")
    pipeline = pipeline_of(corpus, provider=model, short_circuit=circuit, decider=Sure(0.9))
    result = await pipeline.run(ChatRequest(QUESTION))
    assert (result.reason, result.provider, result.attempts) == (Reason.CONFIDENT, "extractive", 0)
    result = await replace(pipeline, decider=Sure(0.7)).run(ChatRequest(QUESTION))
    assert (result.reason, result.provider, result.attempts) == (Reason.ANSWERED, "dear", 1)
    assert (circuit.asked, circuit.taken) == (2, 1)


async def test_a_decision_that_takes_too_long_is_no_answer(corpus: Services) -> None:
    pipeline = pipeline_of(corpus, provider=Model("dear", TRUE), decider=Sure(0.9, wait_s=30))
    began = time.monotonic()
    result = await pipeline.run(ChatRequest(QUESTION, deadline_s=0.6))
    assert time.monotonic() - began < 0.85 and result.reason is Reason.OUT_OF_TIME


async def test_the_settings_switch_the_short_circuit_on(build_services: Any, settings: Any, corpus: Services) -> None:
    chat = settings.chat.model_copy(update={"short_circuit": 0.01})
    services = build_services(provider=ScriptedProvider([]), given=settings.model_copy(update={"chat": chat}))
    result = await services.pipeline.run(ChatRequest(QUESTION))
    assert (result.reason, result.attempts) == (Reason.CONFIDENT, 0)


async def test_threads_are_not_needed_to_end_in_time(corpus: Services) -> None:
    """The executor is full of work that nobody can stop: the turn ends all the same."""
    executor = ThreadPoolExecutor(1)
    executor.submit(time.sleep, 1.5)
    retriever = replace(corpus.retriever, executor=executor)
    began = time.monotonic()
    result = await pipeline_of(corpus, retriever=retriever).run(ChatRequest(QUESTION, deadline_s=0.3))
    assert time.monotonic() - began < 0.55 and result.reason is Reason.OUT_OF_TIME
    executor.shutdown()
