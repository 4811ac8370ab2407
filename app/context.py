"""Passages with what stands around them, for the answerer: what was found is a place, the answer may be next to it."""

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from retrieval.reader import Reader
from retrieval.store.corpus import CorpusStore
from retrieval.types import Found
from retrieval.widening import widen


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Grows the passages of a search within their sections, up to `max_chars` characters each; 0 leaves them."""

    store: CorpusStore
    reader: Reader
    executor: Executor
    max_chars: int

    async def widened(self, found: Found) -> Found:
        """The passages, wider; one that a better passage has come to hold is left out."""
        if not self.max_chars:
            return found
        return await asyncio.get_running_loop().run_in_executor(self.executor, self._widened, found)

    def _widened(self, found: Found) -> Found:
        versions = {p.doc_id: self.store.version_in(p.doc_id, found.snapshot)[1] for p in found.passages}
        documents = [self.reader.document(passage.doc_id, versions[passage.doc_id]) for passage in found.passages]
        return replace(found, passages=tuple(widen(found.passages, documents, self.max_chars)))


async def as_found(found: Found) -> Found:
    """The passages as they are."""
    return found
