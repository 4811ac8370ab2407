"""Keeps turns without holding them up: a slow disk delays what is kept, not what is answered."""

import asyncio
import logging
from concurrent.futures import Executor
from dataclasses import dataclass

from app.openlineage import TurnEvents
from app.pipeline import ChatPipeline
from app.releases import describe
from app.settings import Settings
from app.store.turns import TurnStore
from app.types import ChatRequest, ChatResult

GRACE_S = 0.1
"""How long a turn waits until it is kept; after that it is kept a little later."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recorder:
    """A `Record` that writes in a thread of its own: searches queue elsewhere."""

    turns: TurnStore
    events: TurnEvents
    settings: Settings
    executor: Executor

    async def record(self, pipeline: ChatPipeline, asked: ChatRequest, result: ChatResult) -> None:
        """Keep a turn and tell of it."""
        kept = asyncio.get_running_loop().run_in_executor(self.executor, self._keep, pipeline, asked, result)
        done, _ = await asyncio.wait({kept}, timeout=GRACE_S)
        if done:
            kept.result()
        else:
            kept.add_done_callback(_complain)
        self.events.tell(result)

    def _keep(self, pipeline: ChatPipeline, asked: ChatRequest, result: ChatResult) -> None:
        self.turns.record(result, asked, describe(pipeline, self.settings))


def _complain(kept: "asyncio.Future[None]") -> None:
    """A turn that could not be kept is said in the log: its answer is out already."""
    if not kept.cancelled() and (error := kept.exception()):
        _log.error("a turn was not kept: %s", error)
