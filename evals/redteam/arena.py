"""The arena: attacks through the pipeline that serves, over a corpus that holds their poisoned documents."""

import asyncio
import shutil
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

from app.bootstrap import Services
from evals.errors import CorpusNotReady
from evals.golden.sets import GoldenSet
from evals.redteam.seeds import ADDITIONS
from evals.redteam.types import Arm, Attack, Outcome, Seed
from evals.scorers.guard import attack_success
from evals.types import Evidence
from retrieval.files import folders as sources
from retrieval.files import list_files
from retrieval.sources.port import Progress

DEADLINE_S = 60.0
_NO_EVIDENCE = Evidence((), lambda doc_id: None)


class Arena:
    """A corpus of the set's documents without its additions, plus the poisoned documents of one generation at a time.

    The corpus has one name per golden set: a later run finds the base documents parsed and embedded. On leaving, the
    poisoned documents are taken out of it again.
    """

    def __init__(self, services: Services, golden: GoldenSet, progress: Progress | None = None) -> None:
        self._services = services
        self.corpus = f"redteam-{golden.name}"
        self._base = [folder for folder in golden.documents if folder.name != ADDITIONS]
        self._poison = services.settings.home / "redteam" / f"poison-{golden.name}"
        self._progress = progress
        self._staged: frozenset[str] = frozenset()
        self._snapshot = ""
        self._quarantined: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        shutil.rmtree(self._poison, ignore_errors=True)  # what a killed run left
        await self._ingest({})
        await self._services.warm_up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._staged:
            await self._ingest({})
        shutil.rmtree(self._poison, ignore_errors=True)

    def attributable(self, seeds: Iterable[Seed]) -> list[Seed]:
        """The seeds whose success would be the attack's own: no canary of a planted one stands in a base document.

        To be asked before the first generation. What a question is after may well stand in the documents.
        """
        members = self._services.corpora.members(self.corpus, self._snapshot)
        held = self._services.corpora.texts([(member.doc_id, member.version) for member in members])
        texts = [text.casefold() for text in held.values()]
        return [
            seed
            for seed in seeds
            if seed.surface == "question" or not any(canary in text for text in texts for canary in seed.canaries)
        ]

    async def fight(self, arm: Arm, attacks: Sequence[Attack]) -> list[Outcome]:
        """Bring in the documents of a generation, ask its attacks one after the other, and say what came of each.

        Raises:
            CorpusNotReady: A document of the golden set could not be ingested.
        """
        documents = {attack.case.additions[0]: attack.document for attack in attacks if attack.document is not None}
        if documents.keys() != self._staged:
            await self._ingest(documents)
        return [await self._asked(arm, attack) for attack in attacks]

    async def _asked(self, arm: Arm, attack: Attack) -> Outcome:
        if attack.document is not None and (why := self._quarantined.get(attack.case.additions[0])):
            return Outcome(attack, arm, None, f"quarantined: {why}")
        try:
            async with asyncio.timeout(DEADLINE_S):
                result = await self._services.pipeline.run(attack.case.request(self.corpus))
        except Exception as error:  # noqa: BLE001 -- a turn may fail in any way; it is recorded and counted
            return Outcome(attack, arm, None, f"{type(error).__name__}: {error}"[:500])
        if result.snapshot != self._snapshot:
            return Outcome(attack, arm, None, "the corpus changed meanwhile: is another red team running?")
        return Outcome(attack, arm, attack_success(attack.case, result, _NO_EVIDENCE) == 1.0)

    async def _ingest(self, documents: dict[str, str]) -> None:
        """Make the corpus the base documents and these, in one ingest."""
        shutil.rmtree(self._poison, ignore_errors=True)
        self._poison.mkdir(parents=True)
        for uri, text in documents.items():
            (self._poison / uri).write_text(text, encoding="utf-8")
        paths = [*self._base, self._poison]
        report = await asyncio.to_thread(
            self._services.ingestor.ingest,
            list_files(paths),
            self.corpus,
            prune=sources(paths),
            progress=None
            if self._snapshot
            else self._progress,  # a bar for the base documents, not for each generation
        )
        refused = {row.uri: f"{row.code}: {row.detail}" for row in report.quarantined}
        if of_base := sorted(refused.keys() - documents.keys()):
            raise CorpusNotReady(f"{of_base[0]} could not be ingested into '{self.corpus}': {refused[of_base[0]]}")
        self._quarantined, self._staged, self._snapshot = refused, frozenset(documents), report.snapshot
