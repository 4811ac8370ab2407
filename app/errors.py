"""What can go wrong in the app room.

AssayError
├── ConfigError        a setting is wrong or missing: one line that says which and how to mend it
├── ProviderError      a language model could not be reached, broke off, or answered garbage
│   ├── ProviderTimeout
│   ├── ProviderBusy       it says to try again later
│   └── ProviderRefused    it will never answer this: another try is a waste
└── RequestError       the caller asked for something that cannot be done
    ├── TurnNotFound
    ├── ConversationNotFound
    ├── ConversationsOff
    ├── BatchRefused   a batch's file cannot be read, or its output belongs to another one
    ├── WordsNeeded    a turn's words were not kept and are not given
    ├── WordsDiffer    the words given are not those of the turn
    ├── ReceiptInvalid
    ├── TooManyRequests
    └── BudgetSpent    the day's money of a key, or of the service, is spent
"""


class AssayError(Exception):
    """Base of all errors of this room. The message says what to do."""


class ConfigError(AssayError):
    """A setting is wrong or missing."""


class ProviderError(AssayError):
    """A language model could not be reached, broke off, or answered garbage."""


class ProviderTimeout(ProviderError):
    """A language model took longer than its deadline."""


class ProviderBusy(ProviderError):
    """A language model is overloaded or broken for now; `retry_after_s` is what it asks to wait, if it says."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ProviderRefused(ProviderError):
    """A language model refused the request itself: a wrong key, an unknown model, a prompt that is too long."""


class RequestError(AssayError):
    """The caller asked for something that cannot be done."""


class TurnNotFound(RequestError):
    """No turn with this id is known."""


class ConversationNotFound(RequestError):
    """The caller has no conversation with this id, or it has expired."""


class ConversationsOff(RequestError):
    """Conversations are not kept here."""


class BatchRefused(RequestError):
    """A batch's file cannot be read, or its output belongs to another file."""


class WordsNeeded(RequestError):
    """A turn's words were not kept: they have to be given."""


class WordsDiffer(RequestError):
    """The words given are not those of the turn."""


class ReceiptInvalid(RequestError):
    """A receipt is not one, was changed, or is another home's."""


class TooManyRequests(RequestError):
    """The service is at its bound of turns in flight; try again shortly."""


class BudgetSpent(RequestError):
    """What may be spent today is spent; `retry_after_s` is how long today lasts."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
