"""The fake that ships: a queue of drafts in, a history of requests out. For tests, demos and evaluations."""

import asyncio
from collections.abc import AsyncGenerator, Iterable

from app.errors import ProviderError
from app.llm.counting import counted
from app.llm.port import DraftPart, DraftRequest, DraftText, DraftUsage
from app.types import Usage


class ScriptedProvider:
    """Says what it was given, in order; a draft is taken when a stream is first read.

    Args:
        drafts: The drafts to come; an exception among them is raised when its turn comes. It is read one at a time,
            so `itertools.repeat(text)` gives a provider that never runs out. After the last, ProviderError is raised:
            a test that asks more often than it scripted should hear of it.
        piece_chars: The length of the pieces in which a draft is streamed.
        delay_s: The pause before each piece.
        usage: What each draft says it cost; None for a provider that does not say.
    """

    name = "scripted"

    def __init__(
        self,
        drafts: Iterable[str | Exception],
        piece_chars: int = 16,
        delay_s: float = 0.0,
        usage: Usage | None = Usage(),  # noqa: B008 -- frozen
    ) -> None:
        self._drafts = iter(drafts)
        self._piece_chars = piece_chars
        self._delay_s = delay_s
        self._usage = usage
        self.history: list[DraftRequest] = []

    @counted
    async def draft(self, request: DraftRequest) -> AsyncGenerator[DraftPart]:
        """Stream the next draft of the script.

        Raises:
            ProviderError: The script is at its end. Exceptions of the script are raised as they are.
        """
        self.history.append(request)
        draft = next(self._drafts, None)
        if draft is None:
            raise ProviderError(f"the script ended before draft {len(self.history)}")
        if isinstance(draft, Exception):
            raise draft
        for start in range(0, len(draft), self._piece_chars):
            await asyncio.sleep(self._delay_s)
            yield DraftText(draft[start : start + self._piece_chars])
        if self._usage is not None:
            yield DraftUsage(self._usage)
