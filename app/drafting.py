"""A draft as it comes, sentence by sentence: what stands up against the passages is a claim, the rest is noted."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from app.errors import ProviderError, ProviderTimeout
from app.grounding.verify import Grounding
from app.llm.port import DraftRequest, DraftText, Provider
from app.llm.waiting import next_part
from app.sentences import sentences
from app.types import Claim
from retrieval.types import Passage

MAX_SENTENCE_CHARS = 2_000
"""A draft with a longer sentence is no prose; it is broken off."""

Highlight = Callable[[str, str], Awaitable[tuple[int, int] | None]]
"""Given a question and a claim, the characters of the claim that answer; None where none stand out."""

_log = logging.getLogger(__name__)


async def no_highlight(question: str, text: str) -> tuple[int, int] | None:
    """A `Highlight` that finds none."""
    return None


@dataclass(slots=True)
class Draft:
    """What has come of a draft so far."""

    claims: list[Claim] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    dropped_why: list[str] = field(default_factory=list)
    failed: bool = False
    """The model broke off, or was cut off."""
    late: bool = False
    """Even who answers without a model had no time left."""


@dataclass(frozen=True, slots=True)
class Drafting:
    """Asks a provider for a draft and verifies each sentence of it before anything of it is seen."""

    grounding: Grounding
    max_claims: int
    highlight: Highlight = no_highlight

    async def claims(
        self, provider: Provider, asked: DraftRequest, draft: Draft, *, last: bool = False
    ) -> AsyncGenerator[Claim]:
        """The claims of a draft that stand up against the passages, as soon as each sentence is complete.

        `last` says that nobody is asked after this provider, so that it may use all the time that is left.
        """
        if not asked.passages:
            return
        pending = ""
        left_s = asked.budget.left_s if last else asked.budget.model_s
        try:
            async with aclosing(provider.draft(asked)) as parts:
                while (part := await next_part(parts, left_s(), provider.name)) is not None:
                    if not isinstance(part, DraftText):
                        continue
                    complete, pending = _complete(pending + part.text)
                    if len(pending) > MAX_SENTENCE_CHARS:  # to look for its end again and again would take for ever
                        raise ProviderError(f"{provider.name}: a sentence of more than {MAX_SENTENCE_CHARS} characters")
                    for sentence in complete:
                        for claim in self._checked(sentence, asked.passages, draft):
                            yield await self._highlighted(asked.question, claim, draft)
                        await asyncio.sleep(0)  # a long draft must not hold up the other turns
                        if not left_s():
                            raise ProviderTimeout(f"{provider.name}: the turn is out of time")
        except ProviderError as error:
            # What was verified before the model broke off still stands, its unfinished sentence does not.
            _log.warning("provider %s: %s", provider.name, error)
            draft.failed, pending = True, ""
            draft.late = last
        for sentence in _split(pending):
            for claim in self._checked(sentence, asked.passages, draft):
                yield await self._highlighted(asked.question, claim, draft)

    def _checked(self, sentence: str, passages: Sequence[Passage], draft: Draft) -> Iterator[Claim]:
        """The claims that a sentence comes to; what does not stand up is noted with the reason."""
        if len(draft.claims) >= self.max_claims:
            return
        for finding in self.grounding.parts(sentence, passages):
            claim = finding.claim
            if claim is None:
                draft.dropped.append(finding.text)
                draft.dropped_why.append(f"{finding.verdict}: {finding.why}")
            elif claim.text not in (known.text for known in draft.claims):
                start = draft.claims[-1].end + 1 if draft.claims else 0  # a space between claims
                claim = replace(claim, start=start, end=start + len(claim.text))
                draft.claims.append(claim)
                yield claim

    async def _highlighted(self, question: str, claim: Claim, draft: Draft) -> Claim:
        """The newest claim, with what in it answers."""
        draft.claims[-1] = replace(claim, highlight=await self.highlight(question, claim.text))
        return draft.claims[-1]


def _split(text: str) -> list[str]:
    return [text[span.start : span.end] for span in sentences(text)]


def _complete(text: str) -> tuple[list[str], str]:
    """The sentences of a growing text that more text can no longer change, and the rest.

    The last sentence of an unfinished line may still go on ("e.g." may follow), so it waits; finished lines do not.
    """
    head, newline, tail = text.rpartition("\n")
    spans = sentences(tail)
    cut = spans[-1].start if spans else len(tail)
    return _split(head + newline) + _split(tail[:cut]), tail[cut:]
