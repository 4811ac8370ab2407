"""What can go wrong in the retrieval room.

RetrievalError
├── CorpusError            the corpus is not in a state to do what was asked
│   ├── CorpusNotFound     no such corpus, or nothing ingested into it yet
│   ├── SnapshotNotFound   no such snapshot of the corpus
│   ├── DocumentNotFound   no such document in the snapshot
│   ├── IndexMissing       the snapshot's index is not there
│   ├── IndexOutdated      the snapshot's index lacks what the settings ask for
│   ├── ContractBroken     documents would break the corpus's contract: the old snapshot keeps serving
│   ├── NoRollback         there is no snapshot to go back to
│   ├── KeyLost            what was erased cannot be told any more: nothing may come in
│   └── IngestRunning      another ingest of the same corpus holds the lock
├── LabelsBroken           what is said of a document beside it cannot be read: it is quarantined
├── ContractInvalid        a contract cannot be read or demands what is not known
├── StorageFailed          the disk or the database refused a write
├── StoreUnavailable       the server that holds indexes or state cannot be reached, is busy or took too long
├── PathNotFound           a path or pattern to ingest matches nothing
├── SourceFailed            a source as a whole could not be read: what it held before stays
├── EngineFailed            the cluster that parses and embeds cannot be reached, or loses every attempt
├── Unsupported             an index backend cannot do what is asked, and does nothing else in its place
├── LibraryMissing          an optional library is not installed
├── ModelMissing           weights are not installed or not the recorded ones
└── ParseFailure           one file could not be parsed: becomes a quarantine row, never ends an ingest
"""

from retrieval.types import ReasonCode, Stage


class RetrievalError(Exception):
    """Base of all errors of this room. The message says what to do."""


class CorpusError(RetrievalError):
    """The corpus is not in a state to do what was asked."""


class CorpusNotFound(CorpusError):
    """No such corpus, or nothing has been ingested into it yet."""


class SnapshotNotFound(CorpusError):
    """No such snapshot of the corpus."""


class DocumentNotFound(CorpusError):
    """No such document in the snapshot."""


class IndexMissing(CorpusError):
    """The snapshot's index was removed, or never written."""

    def __init__(self, corpus: str, snapshot: str) -> None:
        super().__init__(f"The snapshot '{snapshot}' of '{corpus}' has no index. Ingest its documents again.")


class IndexOutdated(CorpusError):
    """The snapshot's index was written by another version or with other embedders."""

    def __init__(self, corpus: str, lacks: str) -> None:
        super().__init__(f"The index of '{corpus}' has no {lacks}. Ingest its documents again: only that is computed.")


class ContractBroken(CorpusError):
    """Documents would break the corpus's contract: the old snapshot keeps serving."""


class NoRollback(CorpusError):
    """There is no snapshot to go back to."""


class KeyLost(CorpusError):
    """What was erased cannot be told any more: nothing may come in."""

    def __init__(self) -> None:
        super().__init__("The key of what was erased, keys/erasure.key, is another one. Put it back from a backup.")


class LabelsBroken(RetrievalError):
    """What is said of a document beside it cannot be read: it is quarantined."""


class StorageFailed(RetrievalError):
    """The disk or the database refused a write. What served before serves on."""


class StoreUnavailable(RetrievalError):
    """The server that holds indexes or state cannot be reached, is busy or too slow. The next try connects anew."""


class ContractInvalid(RetrievalError):
    """A contract cannot be read or demands what is not known."""


class IngestRunning(CorpusError):
    """Another ingest of the same corpus holds the lock."""


class PathNotFound(RetrievalError):
    """A path or pattern to ingest matches nothing."""


class SourceFailed(RetrievalError):
    """A source as a whole could not be read, or its name is not of its form. Holds no secret of the name."""


class EngineFailed(RetrievalError):
    """The cluster that parses and embeds cannot be reached, or loses every attempt. What was stored stays stored."""


class Unsupported(RetrievalError):
    """An index backend cannot do what is asked. It says so and does nothing else in its place."""


class LibraryMissing(RetrievalError):
    """An optional library is not installed. The message is the line that installs it."""


class ModelMissing(RetrievalError):
    """Weights are not installed, or are not the recorded ones."""


class ParseFailure(RetrievalError):
    """One file could not be parsed."""

    def __init__(self, code: ReasonCode, detail: str, stage: Stage = Stage.PARSE) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.stage = stage

    def __reduce__(self) -> tuple[type["ParseFailure"], tuple[ReasonCode, str, Stage]]:
        return ParseFailure, (self.code, self.detail, self.stage)
