"""Stands between what was read and what serves."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from retrieval.contract.checks import evaluate
from retrieval.contract.facts import Fact
from retrieval.contract.model import DEFAULT, Contract, read_contract
from retrieval.contract.profile import profile
from retrieval.store.corpus import CorpusStore
from retrieval.store.profiles import ProfileStore
from retrieval.store.rows import Member
from retrieval.types import Breach


@dataclass(frozen=True, slots=True)
class Gate:
    """The contracts of all corpora, one file each under `folder`, and the profiles that they are checked on."""

    store: CorpusStore
    profiles: ProfileStore
    folder: Path

    def contract(self, corpus: str) -> Contract:
        """The contract of a corpus, or the default, under which nothing stops.

        Raises:
            ContractInvalid: Its file is not one: a contract that cannot be read is not taken for none.
        """
        path = self.path(corpus)
        return read_contract(path) if path.exists() else DEFAULT

    def path(self, corpus: str) -> Path:
        """Where the contract of a corpus lies, or would lie."""
        return self.folder / f"{corpus}.yaml"

    def install(self, corpus: str, source: Path) -> Contract:
        """Make a file the contract of a corpus; it counts from the next ingest on.

        Raises:
            ContractInvalid: It is no contract; the old one stays.
        """
        contract = read_contract(source)
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.path(corpus).with_suffix(".tmp")
        with draft.open("wb") as file:
            file.write(source.read_bytes())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path(corpus))
        return contract

    def check(self, contract: Contract, now: Sequence[Member], before: Sequence[Member]) -> tuple[Breach, ...]:
        """What the documents that would serve break, compared with those that serve."""
        return evaluate(contract, self.facts(now), self.facts(before), datetime.now(UTC))

    def facts(self, members: Sequence[Member]) -> list[Fact]:
        """The documents with their profiles; what no one has profiled yet is profiled now and kept."""
        known = self.profiles.get([(member.doc_id, member.version) for member in members])
        found = []
        for member in members:
            key = (member.doc_id, member.version)
            if key not in known:
                document = self.store.document(*key)
                known[key] = profile(document.parsed.text, document.parsed.language, document.modified)
                self.profiles.put(key, known[key])
            found.append(Fact(member.uri, member.labels, known[key]))
        return found
