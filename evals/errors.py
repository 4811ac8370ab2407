"""What can go wrong in the evals room. An item that fails is no error here: it becomes a `Failure` in its record.

EvalsError
├── SuiteError       no such suite, or its file is wrong
├── GoldenSetError   a golden set is missing, or its cases or card are wrong
│   └── EvidenceError    gold evidence does not stand in the documents
├── LockedError      the test split was asked for without a reason, or beyond its budget of looks
├── LedgerDamaged    the ledger of looks, or another hash chain, does not hold together
├── CorpusNotReady   documents of the golden set's corpus could not be ingested
├── RunDamaged       the files of a run cannot be read back
├── NotComparable    two runs cannot be compared; the message says why
└── BenchError       bench data is missing or not in the format
"""


class EvalsError(Exception):
    """Base of all errors of this room. The message says what to mend."""


class SuiteError(EvalsError):
    """No such suite, or its file is wrong."""


class GoldenSetError(EvalsError):
    """A golden set is missing, or its cases or card are wrong."""


class EvidenceError(GoldenSetError):
    """Gold evidence does not stand in the documents."""


class LockedError(EvalsError):
    """The test split was asked for without a reason, or beyond its budget of looks."""


class LedgerDamaged(EvalsError):
    """The ledger of looks, or another hash chain, does not hold together."""


class CorpusNotReady(EvalsError):
    """Documents of the golden set's corpus could not be ingested."""


class RunDamaged(EvalsError):
    """The files of a run cannot be read back."""


class NotComparable(EvalsError):
    """Two runs cannot be compared."""


class BenchError(EvalsError):
    """Bench data is missing or not in the format."""
