"""Waits for what is written about a turn, but not for ever: a slow disk may not hold up its answer."""

import asyncio
import logging

GRACE_S = 0.1
"""How long a turn that is out of time waits still; after that it is written a little later."""

_log = logging.getLogger(__name__)


async def written(future: "asyncio.Future[None]", left_s: float) -> None:
    """Wait for a write until the turn is out of time; one that fails later is said in the log."""
    done, _ = await asyncio.wait({future}, timeout=max(GRACE_S, left_s))
    if done:
        future.result()
    else:
        future.add_done_callback(_complain)


def _complain(future: "asyncio.Future[None]") -> None:
    if not future.cancelled() and (error := future.exception()):
        _log.error("something of a turn was not kept: %s", error)
