from dataclasses import replace
from pathlib import Path

import pytest

from evals.golden.cases import Case
from evals.running.records import Run
from evals.types import GateReport
from tests.evals.report.building import failed_record, judged, make_cases, make_record, make_records, make_run

POISON = (
    '<script>alert(1)</script><img src="https://evil.example/p.png" onerror=alert(2)> '
    "[click](javascript:alert(3)) ![x](https://evil.example/q.png) javascript:alert(4) `</code>` | @team #12 "
    "www.evil.example {{ 7*7 }} \x00\x1b[31m \u202egnp.exe \u2028 <!-- -->]]>"
)


def poisoned(cases: list[Case]) -> list[Case]:
    """The first case, which any candidate gets wrong, asks with an attack."""
    return [cases[0].model_copy(update={"question": f"Why? {POISON}"}), *cases[1:]]


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run, GateReport]:
    """(candidate, baseline, gate): clearly worse, with an attack in the first question and answer, and one failure."""
    root: Path = tmp_path_factory.mktemp("pair") / "runs"
    cases = poisoned(make_cases(60))
    before = [make_record(cases[0], True, 0.9), *make_records(cases[1:], 0.1, 1)]
    after = [
        make_record(cases[0], False, 0.5, answer=f"Because {POISON}"),
        *make_records(cases[1:59], 0.5, 2),
        failed_record(cases[59]),
    ]
    baseline = make_run(root / "base", cases, before)
    release = replace(baseline.info.release, id="feedbeef00112233")
    candidate = make_run(root / "candidate", cases, after, release=release)
    variant = make_run(root / "simple", cases, make_records(cases, 0.9, 3), variant="always_abstain")
    return candidate, baseline, judged(candidate, baseline, {"always_abstain": variant})
