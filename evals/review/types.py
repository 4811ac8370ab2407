"""The words of a review."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from evals.golden.cases import Case
from evals.types import CaseRecord

Cause = Literal["retrieval", "grounding", "guard", "label_error", "question_unclear", "other"]
CAUSES: tuple[Cause, ...] = get_args(Cause)
SEVERITIES = ("critical", "major", "minor")


@dataclass(frozen=True, slots=True)
class Side:
    """What one run made of a case: its worst repeat, and the mean scores over all repeats."""

    record: CaseRecord
    scores: Mapping[str, float]
    repeats: int


@dataclass(frozen=True, slots=True)
class Row:
    """A case of the reviewed run, beside the baseline where that asked it in the same words."""

    case: Case
    set_name: str
    """The golden set it belongs to; "" where none of today's sets has it."""
    candidate: Side
    baseline: Side | None
    how: str
    """What went wrong, in a word; "" where it went well."""
    loss: float
    """Mean of what its quality scores lack to perfect, in [0, 1]; 1 where the turn failed."""
    gain: float | None
    """Of the mean quality over the baseline's; None where there is nothing to compare with."""
    changed: bool
    """Whether a quality score differs from the baseline's."""


@dataclass(frozen=True, slots=True)
class SliceRow:
    """How often a part of the cases goes wrong, with its 95 % interval; `field` is the filter that shows it."""

    field: str
    name: str
    n: int
    misses: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Of its cases that went wrong."""
        return self.misses / self.n
