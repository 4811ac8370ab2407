"""Keeps turns in a thread of its own: searches queue elsewhere."""

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass

from app.afterwards import written
from app.ladder import limits
from app.openlineage import TurnEvents
from app.pipeline import ChatPipeline
from app.releases import describe
from app.settings import Settings
from app.store.turns import TurnStore
from app.types import ChatRequest, ChatResult


@dataclass(frozen=True, slots=True)
class Recorder:
    """A `Record` that writes to the database, and tells of the turn."""

    turns: TurnStore
    events: TurnEvents
    settings: Settings
    executor: Executor

    async def record(self, pipeline: ChatPipeline, asked: ChatRequest, result: ChatResult) -> None:
        """Keep a turn; one that is out of time is kept a little later."""
        kept = asyncio.get_running_loop().run_in_executor(self.executor, self._keep, pipeline, asked, result)
        deadline_s, _ = limits(asked, self.settings.chat)
        await written(kept, deadline_s - result.timings_ms["total"] / 1000)
        self.events.tell(result)

    def _keep(self, pipeline: ChatPipeline, asked: ChatRequest, result: ChatResult) -> None:
        self.turns.record(result, asked, describe(pipeline, self.settings))
