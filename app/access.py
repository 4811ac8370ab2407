"""The second check: what the index found is looked up again, in the database, before anything is answered from it."""

import asyncio
import logging
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from retrieval.store.corpus import CorpusStore
from retrieval.types import Found, Scope

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SecondLook:
    """Drops passages of documents that the scope does not admit. The index has filtered already: one here is a bug."""

    store: CorpusStore
    executor: Executor

    async def permitted(self, found: Found, corpus: str, scope: Scope) -> Found:
        """What of the passages may be shown. A document whose labels are not found may not."""
        wanted = {passage.doc_id for passage in found.passages}
        loop = asyncio.get_running_loop()
        labels = await loop.run_in_executor(self.executor, self.store.labels, corpus, found.snapshot, wanted)
        kept = tuple(p for p in found.passages if p.doc_id in labels and scope.admits(labels[p.doc_id]))
        if len(kept) < len(found.passages):
            _log.error(
                "the index of %s found %d passages that may not be shown", corpus, len(found.passages) - len(kept)
            )
        return replace(found, passages=kept)
