"""The words of the guard room. Offsets count Unicode code points, end exclusive."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """text[start:end] is of a kind, such as EMAIL; `score` in [0, 1] says how sure that is."""

    start: int
    end: int
    kind: str
    score: float
