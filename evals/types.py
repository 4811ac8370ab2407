"""The words of an evaluation. A score is in [0, 1], 1 is best; offsets are those of the canonical text."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.types import ChatResult
from evals.cases import Case


@dataclass(frozen=True, slots=True)
class GoldSpan:
    """The characters of a document that hold a part of the right answer."""

    doc_id: str
    uri: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a scorer may know of the documents: the gold spans, and the canonical text of any document."""

    spans: tuple[GoldSpan, ...]
    text_of: Callable[[str], str | None]
    """By doc_id, in the snapshot under evaluation; None where that snapshot has no such document."""


Scorer = Callable[[Case, ChatResult, Evidence], float | None]
"""A pure function. None where the score does not apply to the case; never a stand-in for a failure."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something of a case could not be measured: the turn itself, or one scorer."""

    stage: Literal["run", "score"]
    scorer: str | None
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """What became of one case. Scores that do not apply, or failed, are absent: `failures` tells which failed."""

    case_id: str
    result: ChatResult | None
    scores: Mapping[str, float]
    failures: tuple[Failure, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over n cases with its 95 % interval; no interval where the cases cannot tell one."""

    mean: float
    n: int
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Refusals:
    """Every case that ran, by what should have happened and what did. The last two are the mistakes."""

    answered: int
    right_refusals: int
    wrong_refusals: int
    wrong_answers: int


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of a whole turn, as the pipeline measured them."""

    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in numbers: estimates by metric over all cases, and by group of cases (a kind, a slice)."""

    cases: int
    failed: int
    unmeasurable: bool
    overall: Mapping[str, Estimate]
    by_kind: Mapping[str, Mapping[str, Estimate]]
    by_slice: Mapping[str, Mapping[str, Estimate]]
    refusals: Refusals
    latency: Latency | None


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What was run, on what, by what. Two runs that differ here may not be compared."""

    suite: str
    golden_sets: Mapping[str, str]
    """Name of each golden set, with the sha256 of its cases.jsonl."""
    corpus: str
    snapshot: str
    provider: str
    cases: tuple[str, ...]
    commit: str | None
    versions: Mapping[str, str]
    started: datetime
    finished: datetime | None = None
    summary: Summary | None = None
