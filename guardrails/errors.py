"""What can go wrong in the guard room.

GuardError
├── CheckUnavailable   a library or model that a check needs is not installed
└── CheckFailed        a check broke off: whoever asked must treat the text as unchecked
"""


class GuardError(Exception):
    """Base of all errors of this room. The message says what to do and quotes no text."""


class CheckUnavailable(GuardError):
    """A library or model that a check needs is not installed."""


class CheckFailed(GuardError):
    """A check broke off: whoever asked must treat the text as unchecked."""
