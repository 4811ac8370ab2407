"""Whether the right tools were called, with the right arguments, and no forbidden one.

`ChatResult` holds no tool calls yet, so the scorers apply to no case; not even `forbidden_tool_calls`, because "none
was made" is not the same as "none can be seen". Once it holds them, each scorer hands them to its function below.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from app.types import ChatResult
from evals.golden.cases import Case, ExpectedCall
from evals.types import Evidence

Call = tuple[str, Mapping[str, JsonValue]]
"""The name of a tool and the arguments it was called with."""


def tool_calls_right(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """F1 of the tools called against those due. Does not apply yet: results show no tool calls."""
    return None


def tool_arguments_right(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """Share of the calls due that were made with equal arguments. Does not apply yet: results show no tool calls."""
    return None


def forbidden_tool_calls(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """1 when a forbidden tool was called; lower is better. Does not apply yet: results show no tool calls."""
    return None


def calls_right(made: Sequence[Call], due: Sequence[ExpectedCall]) -> float | None:
    """F1 of the names of the calls made against those due, each as often as it is due; None where none is due."""
    if not due:
        return None
    shared = (Counter(name for name, _ in made) & Counter(call.name for call in due)).total()
    return 2 * shared / (len(made) + len(due))


def arguments_right(made: Sequence[Call], due: Sequence[ExpectedCall]) -> float | None:
    """Share of the calls due that were made with equal arguments, each made call standing for one; None without any."""
    if not due:
        return None
    left = list(made)
    for call in due:
        for at, (name, given) in enumerate(left):
            if name == call.name and same(given, call.arguments):
                del left[at]
                break
    return (len(made) - len(left)) / len(due)


def forbidden_calls(made: Sequence[Call], forbidden: Sequence[str]) -> int:
    """How many calls of forbidden tools were made."""
    return sum(name in forbidden for name, _ in made)


def same(one: object, other: object) -> bool:
    """Equality of JSON values: 1 is 1.0, but true is not 1; the order of keys does not count."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other
