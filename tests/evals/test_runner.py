"""The runner: deadlines, bounded concurrency, failures as records, and records that outlive a crash."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import repeat
from pathlib import Path

import pytest

from app.llm.scripted import ScriptedProvider
from app.types import ChatRequest, ChatResult
from evals import runner
from evals.corpus import ready_corpus
from evals.errors import EvidenceError, RunDamaged, SuiteError
from evals.evaluate import evaluate
from evals.golden import load_golden_set, select
from evals.records import RecordFile, read_records, read_run
from evals.runner import Runner, score
from evals.suites import Suite, load_suite
from evals.types import CaseRecord, Failure
from tests.conftest import Build
from tests.evals.conftest import QUOTE, case_json, evidence, make_case, make_result, write_set, write_suite


def suite(**changes: object) -> Suite:
    stated = {"name": "t", "sets": ("tiny",), "corpus": "tiny", "scorers": ("answer_match", "abstention")}
    return Suite.model_validate({**stated, **changes})


async def good(request: ChatRequest) -> ChatResult:
    return make_result("5 minutes")


def jobs(count: int) -> Sequence[tuple[runner.Case, runner.Evidence]]:
    return [(make_case(id=f"c-{i}"), evidence()) for i in range(count)]


async def test_a_case_over_its_deadline_is_a_failure_and_the_rest_go_on() -> None:
    async def slow_first(request: ChatRequest) -> ChatResult:
        if request.question == "slow":
            await asyncio.sleep(30)
        return make_result("5 minutes")

    kept: list[CaseRecord] = []
    cases = [(make_case(id="slow", question="slow"), evidence()), *jobs(2)]
    done = await Runner(slow_first, suite(deadline_s=0.05), "s", kept.append).run(cases)
    assert [record.case_id for record in done] == ["slow", "c-0", "c-1"]
    assert done[0] == replace(done[0], result=None, scores={}, failures=(Failure("run", None, "Deadline", "longer than 0.05 s"),))  # fmt: skip # noqa: E501
    assert done[0].seconds < 5
    assert [record.scores for record in done[1:]] == [{"answer_match": 1.0, "abstention": 1.0}] * 2
    assert kept == done


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_no_more_cases_run_at_once_than_the_suite_says(concurrency: int) -> None:
    running = most = 0

    async def ask(request: ChatRequest) -> ChatResult:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return make_result("5 minutes")

    done = await Runner(ask, suite(concurrency=concurrency), "s", lambda record: None).run(jobs(9))
    assert most == concurrency
    assert [record.case_id for record in done] == [f"c-{i}" for i in range(9)]


async def test_an_error_of_the_pipeline_is_recorded_not_scored() -> None:
    async def broken(request: ChatRequest) -> ChatResult:
        raise ConnectionError("no model")

    [record] = await Runner(broken, suite(), "s", lambda record: None).run(jobs(1))
    assert record.scores == {}
    assert record.failures == (Failure("run", None, "ConnectionError", "no model"),)


async def test_a_timeout_inside_the_pipeline_is_not_taken_for_the_deadline() -> None:
    async def broken(request: ChatRequest) -> ChatResult:
        raise TimeoutError("upstream")

    record = await Runner(broken, suite(), "s", lambda record: None).run_one(*jobs(1)[0])
    assert record.failures[0].error == "TimeoutError"


async def test_an_answer_from_another_snapshot_is_not_scored() -> None:
    record = await Runner(good, suite(), "other", lambda record: None).run_one(*jobs(1)[0])
    assert record.result is None
    assert record.failures[0].error == "SnapshotChanged"


def test_a_scorer_that_breaks_is_a_failure_never_a_number() -> None:
    def broken(*_: object) -> float:
        raise ZeroDivisionError("nothing cited")

    scorers = {"broken": broken, "wild": lambda *_: 1.5, "nan": lambda *_: float("nan"), "fine": lambda *_: 0.5,
               "none": lambda *_: None}  # fmt: skip
    scores, failures = score(scorers, make_case(), make_result("x"), evidence())
    assert scores == {"fine": 0.5}
    assert [(failure.scorer, failure.error) for failure in failures] == [
        ("broken", "ZeroDivisionError"),
        ("wild", "OutOfRange"),
        ("nan", "OutOfRange"),
    ]


def test_records_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    records = [
        CaseRecord("a", make_result("5 minutes\n“quoted” \u2028"), {"m": 0.1}, (), 0.5),
        CaseRecord("b", None, {}, (Failure("run", None, "Deadline", "1 s"),), 1.0),
    ]
    with RecordFile(path) as file:
        for record in records:
            file.append(record)
    assert read_records(path) == records


def test_a_torn_last_line_is_passed_over_and_any_other_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    with RecordFile(path) as file:
        file.append(CaseRecord("a", None, {}, (), 0.5))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    assert [record.case_id for record in read_records(path)] == ["a"]
    path.write_bytes(whole[:20] + b"\n" + whole)
    with pytest.raises(RunDamaged, match=r"records\.jsonl:1 is not a record"):
        read_records(path)


def test_records_outlive_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom evals.records import RecordFile\n"
        "from evals.types import CaseRecord\n"
        f"with RecordFile(Path({str(path)!r})) as file:\n"
        "    for i in range(3):\n        file.append(CaseRecord(f'c-{i}', None, {}, (), 0.5))\n"
        "    print('written', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == b"written"
        os.kill(child.pid, signal.SIGKILL)
    assert [record.case_id for record in read_records(path)] == ["c-0", "c-1", "c-2"]


async def test_a_whole_run_through_the_real_pipeline(golden_root: Path, build_services: Build, tmp_path: Path) -> None:
    scorers = list(load_suite("smoke").scorers)
    chosen = load_suite(str(write_suite(tmp_path / "tiny.yaml", scorers=scorers)))
    services = build_services(ScriptedProvider([QUOTE, "I do not know."]))
    golden = load_golden_set(golden_root, "tiny")
    texts = ready_corpus(services, [golden.corpus], "tiny", None)
    run = await evaluate(services, chosen, [golden], select([golden], (), None), texts)

    assert run.folder.parent == services.settings.home / "runs"
    info = read_run(run.folder / "run.json")
    assert info == run.info
    assert (info.suite, info.provider, info.snapshot, info.cases) == (
        "tiny",
        "scripted",
        texts.snapshot,
        ("a-1", "a-2"),
    )
    assert info.golden_sets == {"tiny": golden.sha256}
    assert info.versions["python"]
    assert info.finished is not None
    assert info.summary is not None
    first, second = read_records(run.folder / "records.jsonl")
    assert first.result is not None
    assert first.result.claims[0].citations[0].quote == QUOTE
    assert first.scores == dict.fromkeys(scorers, 1.0)
    assert second.case_id == "a-2"
    assert not first.failures + second.failures


async def test_evidence_that_does_not_match_stops_the_run_before_it_begins(
    tmp_path: Path, build_services: Build
) -> None:
    gold = {"action": "answer", "answers": ["x"], "evidence": [{"uri": "canary.md", "quote": "Nowhere."}]}
    write_set(tmp_path / "sets", [case_json("a", gold=gold)])
    golden = load_golden_set(tmp_path / "sets", "tiny")
    services = build_services(ScriptedProvider(repeat("x")))
    texts = ready_corpus(services, [golden.corpus], "tiny", None)
    with pytest.raises(EvidenceError, match="Case a"):
        await evaluate(services, suite(), [golden], golden.cases, texts)
    assert not (services.settings.home / "runs").exists()


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"scorers": ["odd"]}, "no such scorer: odd"), ({"deadline_s": 0}, "deadline_s"), ({"surplus": 1}, "surplus")],
)
def test_a_wrong_suite_names_file_and_field(tmp_path: Path, changes: dict[str, object], why: str) -> None:
    with pytest.raises(SuiteError, match=rf"bad\.yaml: .*{why}"):
        load_suite(str(write_suite(tmp_path / "bad.yaml", **changes)))


def test_an_unknown_suite_names_those_that_ship() -> None:
    with pytest.raises(SuiteError, match="Shipped: smoke"):
        load_suite("none")
