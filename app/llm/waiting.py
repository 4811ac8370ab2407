"""Waiting for the next piece of a draft, never longer than allowed."""

import asyncio
import math
from collections.abc import AsyncGenerator

from app.errors import ProviderTimeout
from app.llm.port import DraftPart


async def next_part(parts: AsyncGenerator[DraftPart], seconds: float, name: str) -> DraftPart | None:
    """The next piece of a draft, or None at its end.

    Around one piece and not around the loop: a timeout must never strike in the code that reads the draft.

    Raises:
        ProviderTimeout: It did not come in time. The draft is over then.
    """
    if seconds <= 0:  # what is there already would come through without a look at the clock
        await parts.aclose()
        raise ProviderTimeout(f"{name}: the turn is out of time")
    try:
        async with asyncio.timeout(None if math.isinf(seconds) else seconds):
            return await anext(parts, None)
    except TimeoutError:
        raise ProviderTimeout(f"{name}: nothing more within {seconds:.2f} s") from None
