"""Files in, a new snapshot out, unless the corpus's contract stops it. Every step may be killed."""

import hashlib
import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from retrieval.config import RetrievalSettings
from retrieval.contract.facts import Fact
from retrieval.contract.gate import Gate
from retrieval.contract.profile import profile
from retrieval.entrance import Admitted, Entrance
from retrieval.errors import ParseFailure
from retrieval.files import SourceFile
from retrieval.forgotten import Forgotten, Watcher, nothing_forgotten
from retrieval.plan import CorpusState
from retrieval.publish import Publisher, silent
from retrieval.reading import open_regular
from retrieval.redaction import Door, no_door
from retrieval.sources.port import Progress, origin
from retrieval.store.corpus import CorpusStore
from retrieval.store.failures import storage_failures
from retrieval.store.locks import CorpusLocks
from retrieval.store.rows import Member
from retrieval.store.scrubs import ScrubStore
from retrieval.types import IngestReport, ParsedFile, ReasonCode, Severity, Snapshot, Stage


class FileParser(Protocol):
    """Parses files in bounded worker processes; yields as they complete, in any order."""

    def parse_all(self, files: Iterable[tuple[str, Path]]) -> Iterator[tuple[str, ParsedFile | ParseFailure]]:
        """Parse (uri, path) pairs."""
        ...


@dataclass(frozen=True, slots=True)
class Ingestor:
    """Turns files into snapshots of a corpus."""

    store: CorpusStore
    publisher: Publisher
    gate: Gate
    open_parser: Callable[[], AbstractContextManager[FileParser]]
    locks: CorpusLocks
    settings: RetrievalSettings
    scrubs: ScrubStore
    doors: Callable[[str], Door | None] = no_door
    """By corpus, what its documents pass on their way in."""
    watch: Watcher = nothing_forgotten
    """What was erased from a corpus and may not come back."""

    def ingest(
        self, files: Sequence[SourceFile], corpus: str, *, prune: Collection[str] = (), progress: Progress | None = None
    ) -> IngestReport:
        """Bring a corpus to the state of `files` and switch readers to the new snapshot.

        Args:
            files: What to read. A file whose bytes are those of last time is not read further.
            corpus: Its name.
            prune: Folders (as `files.folders` gives them) whose vanished files are removed too.
            progress: Called as work goes on.

        Raises:
            ContractInvalid: The corpus's contract cannot be read.
            IngestRunning: Another process ingests into the corpus.
            StorageFailed: The disk or the database refused a write.
        """
        report = progress or silent
        started = time.monotonic()
        contract = self.gate.contract(corpus)
        with storage_failures(), self.locks.hold(corpus):
            before = self.members(corpus)
            state = CorpusState({member.uri: member for member in before})
            entrance = Entrance(corpus, self.doors(corpus))
            forgotten = Forgotten(corpus, self.watch(corpus))
            todo = self._changed(files, state, entrance, forgotten)
            found = self._parse(todo, state, entrance, forgotten, report)
            state.withdraw_stale(entrance)
            state.quarantined = [forgotten.masked(row) for row in state.quarantined]
            self.store.record_quarantine(corpus, state.quarantined, cleared=state.seen)
            state.prune(prune, {file.uri for file in files})
            breaches = self.gate.check(contract, state.sorted(), before)
            stopped = any(breach.severity is Severity.ERROR for breach in breaches)
            embedded, snapshot = 0, self._serving(corpus)
            if not stopped:
                snapshot, embedded = self.publisher.publish(corpus, state.sorted(), contract, report)
        return IngestReport(
            snapshot=snapshot.id if snapshot else "",
            documents=snapshot.documents if snapshot else 0,
            chunks=snapshot.chunks if snapshot else 0,
            added=state.added,
            changed=state.changed,
            unchanged=state.unchanged,
            removed=state.removed,
            embedded=embedded,
            quarantined=tuple(sorted(state.quarantined, key=lambda row: row.uri)),
            seconds=round(time.monotonic() - started, 3),
            breaches=breaches,
            switched=not stopped,
            personal_data=dict(found),
        )

    def examine(self, files: Sequence[SourceFile], progress: Progress | None = None) -> tuple[list[Fact], int]:
        """What files would be as documents, without storing anything.

        Returns:
            The documents, and how many files would be quarantined.
        """
        report = progress or silent
        labels = {file.uri: file.labels for file in files if not file.labels_fault}
        found: list[Fact] = []
        with self.open_parser() as parser:
            parsed = parser.parse_all((file.uri, file.path) for file in files if file.uri in labels)
            for done, (uri, result) in enumerate(parsed, start=1):
                if not isinstance(result, ParseFailure):
                    text = result.parsed
                    found.append(Fact(uri, labels[uri], profile(text.text, text.language, result.modified)))
                report("parse", done, len(files))
        return sorted(found, key=lambda fact: fact.uri), len(files) - len(found)

    def _serving(self, corpus: str) -> Snapshot | None:
        return next((self.store.snapshot(corpus, snapshot) for snapshot in self.publisher.active(corpus)), None)

    def members(self, corpus: str) -> list[Member]:
        """The documents of the snapshot that serves; none where none does."""
        return [member for snapshot in self.publisher.active(corpus) for member in self.store.members(corpus, snapshot)]

    def _changed(
        self, files: Sequence[SourceFile], state: CorpusState, entrance: Entrance, forgotten: Forgotten
    ) -> list[SourceFile]:
        """The files whose bytes are new; the others are counted as unchanged."""
        todo: dict[str, SourceFile] = {}
        for file in files:
            known = state.members.get(file.uri)
            if file.labels_fault:
                state.withdraw(file.uri, ReasonCode.BROKEN_LABELS, file.labels_fault)
            elif file.uri in todo or file.uri in state.seen or (known and _claimed_elsewhere(known, file)):
                state.quarantine(file.uri, ReasonCode.DUPLICATE_URI, _DUPLICATE, Stage.READ)
            elif file.failure:
                state.quarantine(file.uri, ReasonCode.UNREADABLE, file.failure, Stage.READ)
            elif known and (receipt := forgotten.labels(known, file.labels)):
                state.forget(file.uri, receipt)
            elif known and known.parser == entrance.parser and known.sha256 == self._sha256(file.path):
                state.keep_or_withdraw(known, file, entrance)
            else:
                todo[file.uri] = file
        return list(todo.values())

    def _sha256(self, path: Path) -> str | None:
        """The hash of a file's bytes, or None where the parser will say why it cannot be read."""
        try:
            with open_regular(path) as file:
                if os.fstat(file.fileno()).st_size > self.settings.parse.max_file_bytes:
                    return None
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return None

    def _parse(
        self,
        todo: Sequence[SourceFile],
        state: CorpusState,
        entrance: Entrance,
        forgotten: Forgotten,
        report: Progress,
    ) -> Mapping[str, int]:
        """Parse and store what is new. Returns how much personal data was found, by kind."""
        found: Counter[str] = Counter()
        if not todo:
            return found
        named = {file.uri: file for file in todo}
        report("parse", 0, len(todo))
        with self.open_parser() as parser:
            results = parser.parse_all((file.uri, file.path) for file in todo)
            waiting: list[Admitted] = []
            for done, (uri, result) in enumerate(results, start=1):
                try:
                    if isinstance(result, ParseFailure):
                        raise result
                    admitted = entrance.admit(named[uri], result)
                except ParseFailure as failure:
                    state.failed(uri, failure, entrance)
                else:
                    if receipt := forgotten.document(admitted.document, named[uri].labels):
                        state.forget(uri, receipt)
                    else:
                        waiting.append(admitted)
                        state.put(admitted.member)
                        found.update(admitted.found)
                chars = sum(len(held.document.parsed.text) for held in waiting)
                if len(waiting) == _TOGETHER or chars > _TOGETHER_CHARS:
                    self._store(waiting, entrance)
                    waiting = []
                report("parse", done, len(todo))
            self._store(waiting, entrance)
        return found

    def _store(self, admitted: Sequence[Admitted], entrance: Entrance) -> None:
        self.publisher.store_documents([one.document for one in admitted])
        if entrance.door:
            keys = [(one.document.doc_id, one.document.version) for one in admitted]
            rows = zip(keys, admitted, strict=True)
            self.scrubs.put([(key, entrance.door.transform, one.found, one.offsets) for key, one in rows])


_TOGETHER, _TOGETHER_CHARS = 32, 4_000_000
"""Documents stored in one transaction: so many, or so much text, may have to be parsed again after a crash."""
_DUPLICATE = "Another file is already known under this uri. Ingest the common parent folder, or use another corpus."


def _claimed_elsewhere(known: Member, file: SourceFile) -> bool:
    """Whether the uri belongs to another source that still holds such a file."""
    source = Path(known.source)
    if known.source.startswith("git+") and file.source.startswith("git+"):  # two repositories, each with a README
        return origin(known.source) != origin(file.source)
    if known.source == file.source or not source.is_absolute():  # a label such as "upload" names no place on disk
        return False
    return source.is_file() or (source / known.uri).is_file()
