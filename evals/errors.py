"""What can go wrong in the evals room. An item that fails is no error here: it becomes a `Failure` in its record.

EvalsError
├── SuiteError       no such suite, or its file is wrong
├── GoldenSetError   a golden set is missing, or its cases or card are wrong
│   └── EvidenceError    gold evidence does not stand in the documents
├── CorpusNotReady   documents of the golden set's corpus could not be ingested
└── RunDamaged       the files of a run cannot be read back
"""


class EvalsError(Exception):
    """Base of all errors of this room. The message says what to mend."""


class SuiteError(EvalsError):
    """No such suite, or its file is wrong."""


class GoldenSetError(EvalsError):
    """A golden set is missing, or its cases or card are wrong."""


class EvidenceError(GoldenSetError):
    """Gold evidence does not stand in the documents."""


class CorpusNotReady(EvalsError):
    """Documents of the golden set's corpus could not be ingested."""


class RunDamaged(EvalsError):
    """The files of a run cannot be read back."""
