"""One turn for all who ask the same at the same time; nobody's leaving is another's loss."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.answering import finished
from app.bootstrap import Services
from app.coalescing import Coalesced, same
from app.errors import ProviderError
from app.llm.scripted import ScriptedProvider
from app.types import ChatRequest, Finished, Message, PassagesFound, TurnEvent
from retrieval.types import Access, Scope
from tests.conftest import Build

ASKED = ChatRequest("How much traffic does a canary release get?")
TRUE = "A canary release sends 1 percent of the traffic to the new version for one hour."


class Slow:
    """Counts turns; each says that passages were found, waits, and finishes."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun = self.ended = self.cancelled = 0
        self.go = asyncio.Event()
        self._error = error

    async def events(self, request: ChatRequest) -> AsyncGenerator[TurnEvent]:
        self.begun += 1
        try:
            yield PassagesFound(())
            await self.go.wait()
            if self._error:
                raise self._error
            yield Finished(None)  # type: ignore[arg-type]
            self.ended += 1
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def run(self, request: ChatRequest) -> None:  # type: ignore[override]
        return await finished(self.events(request))


def over(inner: Slow, serving: str = "s1") -> Coalesced:
    return Coalesced(inner, lambda corpus: serving)  # type: ignore[arg-type]


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0.005)


async def test_twenty_who_ask_at_once_are_one_turn(build_services: Build, corpus: Services) -> None:
    provider = ScriptedProvider([TRUE], delay_s=0.01)
    pipeline = build_services(provider).pipeline
    answers = Coalesced(pipeline, corpus.corpora.active)
    results = await asyncio.gather(*(answers.run(ASKED) for _ in range(20)))
    assert len(provider.history) == 1
    assert {result.turn_id for result in results} == {results[0].turn_id}
    assert results[0].answer == TRUE
    assert answers.in_flight == 0


async def test_streams_that_come_later_get_all_events_too() -> None:
    inner = Slow()
    answers = over(inner)
    first = answers.events(ASKED)
    seen = [await anext(first)]
    later = asyncio.create_task(_drained(answers))
    await settled()
    inner.go.set()
    seen += [event async for event in first]
    assert [type(event) for event in seen] == [PassagesFound, Finished]
    assert await later == seen
    assert (inner.begun, answers.in_flight) == (1, 0)


async def test_one_who_leaves_takes_nothing_from_the_others() -> None:
    inner = Slow()
    answers = over(inner)
    tasks = [asyncio.create_task(answers.run(ASKED)) for _ in range(3)]
    await settled()
    tasks[0].cancel()
    await asyncio.gather(tasks[0], return_exceptions=True)
    inner.go.set()
    assert await asyncio.gather(*tasks[1:]) == [None, None]
    assert (inner.begun, inner.cancelled) == (1, 0)


async def test_the_last_one_who_leaves_ends_the_turn() -> None:
    inner = Slow()
    answers = over(inner)
    tasks = [asyncio.create_task(answers.run(ASKED)) for _ in range(3)]
    await settled()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (inner.cancelled, answers.in_flight) == (1, 0)
    inner.go.set()
    assert await answers.run(ASKED) is None
    assert inner.begun == 2


async def test_a_failure_is_everybodys_and_the_next_one_asks_anew() -> None:
    inner = Slow(ProviderError("down"))
    answers = over(inner)
    inner.go.set()
    said = await asyncio.gather(*(answers.run(ASKED) for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in said] == [ProviderError] * 3
    with pytest.raises(ProviderError):
        await answers.run(ASKED)
    assert (inner.begun, answers.in_flight) == (2, 0)


@pytest.mark.parametrize(
    "other",
    [
        replace(ASKED, question="How much traffic does a canary release get"),
        replace(ASKED, corpus="other"),
        replace(ASKED, history=(Message("user", "Hello"),)),
        replace(ASKED, scope=Scope(Access("acme"))),
        replace(ASKED, scope=Scope(Access("", frozenset({"board"})))),
        replace(ASKED, scope=Scope(where={"year": 2024})),
    ],
)
async def test_who_asks_anything_else_gets_a_turn_of_their_own(other: ChatRequest) -> None:
    inner = Slow()
    answers = over(inner)
    inner.go.set()
    await asyncio.gather(answers.run(ASKED), answers.run(other))
    assert inner.begun == 2


def test_another_snapshot_is_another_turn() -> None:
    assert same(ASKED, "a") != same(ASKED, "b")


@given(st.frozensets(st.text(max_size=3), max_size=4), st.text(max_size=5))
@settings(max_examples=50)
def test_the_same_request_is_always_the_same(groups: frozenset[str], tenant: str) -> None:
    scope = Scope(Access(tenant, groups))
    again = Scope(Access(tenant, frozenset(sorted(groups, reverse=True))))
    assert same(replace(ASKED, scope=scope), "s") == same(replace(ASKED, scope=again), "s")


@given(st.lists(st.sampled_from(["join", "join", "first leaves", "last leaves"]), max_size=12))
@settings(max_examples=60, deadline=None)
def test_whoever_comes_and_goes_those_who_stay_have_the_answer(steps: list[str]) -> None:
    async def play() -> None:
        inner = Slow()
        answers = over(inner)
        there: list[asyncio.Task[object]] = []
        left: list[asyncio.Task[object]] = []
        expected = 0
        for step in steps:
            if step == "join":
                expected += not there
                there.append(asyncio.create_task(answers.run(ASKED)))
            elif there:
                leaving = there.pop(0 if step == "first leaves" else -1)
                leaving.cancel()
                left.append(leaving)
            for _ in range(2_000):  # the thread that looks the snapshot up takes its time
                await asyncio.sleep(0.001)
                if sum(turn.listeners for turn in answers._turns.values()) == len(there):
                    break
        await asyncio.gather(*left, return_exceptions=True)
        inner.go.set()
        assert await asyncio.gather(*there) == [None] * len(there)
        assert (inner.begun, inner.ended, answers.in_flight) == (expected, int(bool(there)), 0)

    asyncio.run(asyncio.wait_for(play(), 30))


async def _drained(answers: Coalesced) -> list[TurnEvent]:
    return [event async for event in answers.events(ASKED)]
