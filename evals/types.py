"""The words of an evaluation. Quality scores are in [0, 1], 1 is best; offsets are those of the canonical text."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Literal

from app.releases import Release
from app.types import ChatResult
from evals.golden.cases import Case, Split


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
class Metric:
    """A scorer with what its numbers mean. `low` and `high` bound its values; outside them it is broken."""

    score: Scorer
    better: Literal["higher", "lower"] = "higher"
    binary: bool = False
    low: float = 0.0
    high: float = 1.0
    unit: str = ""
    prepare: Callable[[Sequence[Case]], None] | None = None
    """Called once before the first case, for what would make the first case slow (loading a library, a model)."""


FailureKind = Literal["infrastructure", "crash", "scorer"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something of a case could not be measured, or went wrong in a way that no score expresses.

    infrastructure: the deadline, the provider, the disk; retried, then counted apart.
    crash: the system under evaluation broke on the case; a user would have seen an error. The gate fails on it.
    scorer: one scorer broke; the other scores stand.
    """

    kind: FailureKind
    scorer: str | None
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """What became of one repeat of one case. Scores that do not apply, or failed, are absent.

    `result` is None where the turn failed, and in runs of the locked test split, whose texts nobody should read.
    """

    case_id: str
    case_sha256: str
    repeat: int
    result: ChatResult | None
    scores: Mapping[str, float]
    failures: tuple[Failure, ...]
    seconds: float
    total_ms: float | None = None
    """Of the turn, as the pipeline measured it. None where it failed or came from the cache."""
    attempts: int = 1
    cached: bool = False


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
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in numbers: estimates by metric over all cases, and by group of cases (a kind, a slice).

    Cases whose feature is not built yet stand under `pending`, by feature, and nowhere else.
    """

    cases: int
    failed: int
    unmeasurable: bool
    overall: Mapping[str, Estimate]
    by_kind: Mapping[str, Mapping[str, Estimate]]
    by_slice: Mapping[str, Mapping[str, Estimate]]
    pending: Mapping[str, Mapping[str, Estimate]]
    pending_cases: Mapping[str, int]
    unstable: tuple[str, ...]
    """Cases whose repeats disagree in a score."""
    refusals: Refusals
    latency: Latency | None


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What was run, on what, by what. Two runs that differ in `golden_sets`, `suite_sha256` or `split` say so."""

    suite: str
    suite_sha256: str
    split: Split
    golden_sets: Mapping[str, str]
    """Name of each golden set, with the sha256 of its cases.jsonl."""
    snapshots: Mapping[str, str]
    """Corpus of each golden set, with the snapshot that answered."""
    release: Release
    variant: str
    """"candidate", or the simpler thing that stood in for it."""
    cases: tuple[str, ...]
    repeats: int
    commit: str | None
    hardware: Mapping[str, str]
    reference_ms: float | None
    """Median time of a fixed piece of arithmetic during the run: how busy the machine was."""
    versions: Mapping[str, str]
    started: datetime
    finished: datetime | None = None
    summary: Summary | None = None


class Verdict(IntEnum):
    """What a gate says; the value is the exit code. 4 is misuse, which is no verdict."""

    PASS = 0
    FAIL = 1
    INCONCLUSIVE = 2
    UNMEASURABLE = 3


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric on one slice (None: all cases), paired by case. Differences are signed so that more is better.

    `low` and `high` bound the difference at the gate's level; `p` is one-sided against "not worse", `p_holm` the same
    after Holm's correction over all comparisons of the gate. `outcome`: worse is proven and large enough to matter;
    not_worse shows the difference to stand above the margin; unclear shows neither.
    """

    metric: str
    slice: str | None
    pairs: int
    groups: int
    baseline: float
    candidate: float
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    margin: float
    min_effect: float
    outcome: Literal["worse", "not_worse", "unclear"]
    more_cases: int | None = None
    """How many more cases would probably decide, where it is unclear."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason for a verdict, or a note that changes none (verdict None)."""

    rule: Literal[
        "regression", "inconclusive", "invariant", "critical", "crash", "latency", "cost", "baselines", "slice",
        "measurement", "note",
    ]  # fmt: skip
    verdict: Verdict | None
    message: str
    case_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ratio:
    """Candidate over baseline of a latency or cost, with its 95 % interval, and how much is allowed."""

    name: str
    baseline: float
    candidate: float
    ratio: float
    low: float
    high: float
    allowed: float
    load: float = 1.0
    """How much busier the machine was than at the baseline: time of the reference arithmetic over that of then."""


@dataclass(frozen=True, slots=True)
class Change:
    """A case whose outcome differs between baseline and candidate: its worst changed score."""

    case_id: str
    metric: str
    baseline: float
    candidate: float


@dataclass(frozen=True, slots=True)
class GateReport:
    """All that a gate found. `looks` is how often the test split was read before; 0 for the dev split."""

    verdict: Verdict
    findings: tuple[Finding, ...]
    comparisons: tuple[Comparison, ...]
    ratios: tuple[Ratio, ...]
    lifts: Mapping[str, tuple[Comparison, ...]]
    """For each simpler variant, the candidate against it."""
    changes: tuple[Change, ...]
    pairs: int
    unpaired: tuple[str, ...]
    alpha: float
    looks: int = 0
