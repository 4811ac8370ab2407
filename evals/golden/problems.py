"""What a check finds."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

_NAMED = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a golden set. The message never holds the words of a case of the test split."""

    code: str
    severity: Literal["error", "warning"]
    message: str
    case_ids: tuple[str, ...] = ()


def listed(ids: Iterable[str]) -> str:
    """The first ids, and how many more there are."""
    every = list(ids)
    rest = f" and {len(every) - _NAMED} more" if len(every) > _NAMED else ""
    return ", ".join(every[:_NAMED]) + rest
