"""What is written about a turn holds it up for as long as it has time, and no longer."""

import asyncio
import logging
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace

import pytest

from app import afterwards
from app.afterwards import written
from app.bootstrap import Services
from app.recording import Recorder
from app.types import ChatRequest


@pytest.fixture
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as made:
        yield made


def fails(after_s: float) -> None:
    time.sleep(after_s)
    raise OSError("the disk is full")


async def test_a_turn_with_time_waits_and_hears_of_failures(executor: Executor) -> None:
    loop = asyncio.get_running_loop()
    await written(loop.run_in_executor(executor, time.sleep, 0.2), 5.0)
    with pytest.raises(OSError, match="disk"):
        await written(loop.run_in_executor(executor, fails, 0.0), 5.0)


async def test_a_turn_without_time_goes_on_and_the_log_hears(
    executor: Executor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(afterwards, "GRACE_S", 0.05)
    began = time.monotonic()
    future = asyncio.get_running_loop().run_in_executor(executor, fails, 0.3)
    with caplog.at_level(logging.ERROR):
        await written(future, 0.0)
        assert time.monotonic() - began < 0.2 and not caplog.records
        await asyncio.wait({future})
        await asyncio.sleep(0)
    assert "not kept: the disk is full" in caplog.text


async def test_a_turn_that_is_kept_late_is_kept(corpus: Services) -> None:
    books = corpus.recorder
    slow = ThreadPoolExecutor(1)
    slow.submit(time.sleep, 0.6)
    late = Recorder(books.turns, books.events, books.settings, slow)
    asked = ChatRequest("canary traffic percent", deadline_s=0.3)
    result = await corpus.pipeline.run(asked)
    result = replace(result, turn_id="late", timings_ms={"total": 300.0})  # it took all of its time
    began = time.monotonic()
    await late.record(corpus.pipeline, asked, result)
    assert time.monotonic() - began < 0.55
    slow.shutdown(wait=True)
    assert corpus.turns.turn("late").corpus == "default"
