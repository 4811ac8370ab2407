"""Runs of many cases without a pipeline: what reports are made of."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.releases import Release
from app.types import Usage
from evals.gate.gate import Judge, Side
from evals.golden.cases import Case
from evals.golden.writing import write_cases
from evals.running.records import RecordFile, Run, write_run
from evals.suites import Suite
from evals.summary import summarise
from evals.types import CaseRecord, Failure, GateReport, RunInfo
from tests.evals.conftest import ABSTAIN, TEXT, case_json, citation, make_result, passage

METRICS = ("answer_match", "citation_recall", "quote_validity", "passage_recall", "abstention")
SUITE = Suite.model_validate(
    {
        "name": "smoke",
        "sets": ["tiny"],
        "scorers": METRICS,
        "slices": ["md", "pdf"],
        "gate": {
            "metrics": {
                "answer_match": {"margin": 0.05, "min_effect": 0.01},
                "citation_recall": {"margin": 0.05},
                "abstention": {"margin": 0.05},
            },
            "slice_metrics": ["answer_match"],
            "invariants": ["quote_validity"],
        },
    }
)


def make_cases(count: int = 60, **changes: object) -> list[Case]:
    """Every fifth cannot be answered; half are about each format."""
    cases = []
    for number in range(count):
        stated = case_json(f"c-{number:03d}", group=f"document-{number // 2}", slices=["md" if number % 2 else "pdf"])
        if number % 5 == 4:
            stated |= ABSTAIN | {"group": f"document-{number // 2}"}
        cases.append(Case.model_validate_json(json.dumps(stated | changes)))
    return cases


def make_record(case: Case, right: bool, seed: float, *, answer: str | None = None, ms: float = 40.0) -> CaseRecord:
    """A turn that answers (rightly or not), or abstains (rightly or not)."""
    unanswerable = case.gold.action == "abstain"
    said = answer or ("" if unanswerable == right else "Within 5 minutes." if right else "Within 9 hours.")
    cited = (citation(42, 87),) if said else ()
    result = replace(
        make_result(said, cited=cited, passages=(replace(passage(0, len(TEXT)), score=min(1.0, 0.3 + 0.7 * seed)),)),
        question=case.question,
        usage=Usage(),
    )
    scores = {"abstention": float(right or not unanswerable), "passage_recall": float(seed > 0.1)}
    if not unanswerable:
        scores |= {"answer_match": float(right), "citation_recall": float(right) * (0.5 if seed > 0.8 else 1.0)}
    if said:
        scores["quote_validity"] = 1.0
    return CaseRecord(case.id, case.sha256, 0, result, scores, (), ms / 900, ms)


def make_records(cases: Sequence[Case], wrong: float, seed: int = 0, ms: float = 40.0) -> list[CaseRecord]:
    """About a share `wrong` goes wrong. Two seeds go wrong on mostly the same cases."""
    hard = {case.id: random.Random(case.id).random() for case in cases}
    luck = random.Random(seed)
    return [
        make_record(
            case, hard[case.id] + luck.gauss(0, 0.05) > wrong, hard[case.id], ms=ms * luck.lognormvariate(0, 0.5)
        )
        for case in cases
    ]


def failed_record(case: Case, kind: str = "infrastructure", message: str = "longer than 60 s") -> CaseRecord:
    """A turn that was not measured."""
    failure = Failure(kind, None, "Deadline", message)  # type: ignore[arg-type]
    return CaseRecord(case.id, case.sha256, 0, None, {}, (failure,), 60.0)


def make_run(
    folder: Path, cases: Sequence[Case], records: Sequence[CaseRecord], suite: Suite = SUITE, **changes: object
) -> Run:
    """Write a finished run, as `evals run` leaves it."""
    started = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    info = RunInfo(
        suite=suite.name,
        suite_sha256=suite.sha256,
        split="dev",
        golden_sets={"tiny": "f" * 64},
        snapshots={"golden-tiny": "5" * 16},
        release=Release("abcd1234abcd1234", "c" * 64, "extractive", "answer-v1 " + "p" * 64, "minilm float32 384",
                        {"chat.min_support": "0.7", "llm.model": "default"}),
        variant="candidate",
        cases=tuple(case.id for case in cases),
        repeats=suite.repeats,
        commit="0123456789abcdef0123456789abcdef01234567",
        hardware={"cpu": "An Imaginary Processor", "cores": "2", "system": "Linux"},
        reference_ms=3.21,
        versions={"python": "3.11.9", "numpy": "2.4.6"},
        started=started,
        finished=started + timedelta(seconds=93),
        summary=summarise({case.id: case for case in cases}, records, suite),
    )  # fmt: skip
    info = replace(info, **changes)  # type: ignore[arg-type]
    folder.mkdir(parents=True)
    write_run(folder / "run.json", info)
    with RecordFile(folder / "records.jsonl") as file:
        for record in records:
            file.append(record)
    if info.split == "test":
        return Run(folder, info, (), tuple(replace(record, result=None) for record in records))
    write_cases(folder / "cases.jsonl", cases)
    return Run(folder, info, tuple(cases), tuple(records))


def judged(
    run: Run,
    baseline: Run | None,
    variants: Mapping[str, Run] | None = None,
    suite: Suite = SUITE,
    resamples: int = 200,
) -> GateReport:
    """The gate itself, with few resamples."""
    judge = Judge(suite, {case.id: case for case in run.cases}, resamples=resamples)
    sides = {name: Side(one.info, one.records) for name, one in (variants or {}).items()}
    against = Side(baseline.info, baseline.records) if baseline else None
    return judge.judge(Side(run.info, run.records), against, sides)
