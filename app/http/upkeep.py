"""What the service does beside answering: finishes interrupted erasures, and removes by policy once a day."""

import asyncio
import logging
from collections.abc import Callable

from app.bootstrap import Services
from app.errors import AssayError
from retrieval.errors import RetrievalError

FIRST_S, EVERY_S, AGAIN_S = 60.0, 86_400.0, 3_600.0
"""After the start, between two times, and after one that failed."""

_log = logging.getLogger(__name__)


async def upkeep(services: Services, first_s: float = FIRST_S, every_s: float = EVERY_S) -> None:
    """Until it is cancelled. In a thread of its own, so that nobody's answer waits; an error is a line in the log."""
    await _tried(_finish, services)
    if services.retention.off:
        return
    await asyncio.sleep(first_s)
    while True:
        done = await _tried(_retain, services)
        await asyncio.sleep(every_s if done else min(every_s, AGAIN_S))


def _finish(services: Services) -> None:
    for outcome in services.forget.resume(lambda step, done, total: None, all_of_them=False):
        _log.warning("finished an erasure that was interrupted: receipt %s", outcome.receipt["receipt"])


def _retain(services: Services) -> None:
    if counts := {name: count for name, count in services.retention.apply().items() if count}:
        _log.info("removed by retention: %s", counts)


async def _tried(work: Callable[[Services], None], services: Services) -> bool:
    try:
        await asyncio.to_thread(work, services)
    except (AssayError, RetrievalError) as error:
        _log.warning("upkeep will be tried again: %s", error)
        return False
    except Exception as error:  # noqa: BLE001 -- it must never stop what serves; words of a row stay out of the log
        _log.error("upkeep failed: %s", type(error).__name__)
        return False
    return True
