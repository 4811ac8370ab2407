"""The runner: deadlines, bounded concurrency, retries, the cache, and records that outlive a crash."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from app.llm.scripted import ScriptedProvider
from app.types import ChatRequest, ChatResult, Reason
from evals.errors import EvidenceError, NotComparable, RunDamaged, SuiteError
from evals.golden.sets import load_golden_set, select
from evals.running.cache import ResultCache
from evals.running.corpus import ready_corpus
from evals.running.evaluate import Plan, evaluate
from evals.running.records import RecordFile, load_run, pack_records, read_records, read_run
from evals.running.runner import Job, Runner, score
from evals.scorers import SCORERS
from evals.suites import Suite, load_suite
from evals.types import CaseRecord, Failure, Metric
from tests.conftest import Build
from tests.evals.conftest import ABSTAIN, QUOTE, case_json, evidence, make_case, make_result, write_set, write_suite

METRICS = {name: SCORERS[name] for name in ("answer_match", "abstention")}
Ask = Callable[[ChatRequest], Awaitable[ChatResult]]


async def good(request: ChatRequest) -> ChatResult:
    return make_result("5 minutes")


def jobs(count: int, snapshot: str = "s") -> Sequence[Job]:
    return [Job(make_case(id=f"c-{i}"), "tiny", snapshot, evidence()) for i in range(count)]


def runner(ask: Ask, **changes: Any) -> Runner:
    return Runner(**{"ask": ask, "metrics": METRICS, "keep": lambda record: None, "backoff_s": 0.001, **changes})


def blank(name: str, **changes: Any) -> CaseRecord:
    return replace(CaseRecord(name, "h", 0, None, {}, (), 0.5), **changes)


async def test_a_case_over_its_deadline_is_a_failure_and_the_rest_go_on() -> None:
    async def slow_first(request: ChatRequest) -> ChatResult:
        if request.question == "slow":
            await asyncio.sleep(30)
        return make_result("5 minutes")

    kept: list[CaseRecord] = []
    slow = Job(make_case(id="slow", question="slow"), "tiny", "s", evidence())
    done = await runner(slow_first, deadline_s=0.05, retries=0, keep=kept.append).run([slow, *jobs(2)])
    assert [record.case_id for record in done] == ["slow", "c-0", "c-1"]
    assert done[0].failures == (Failure("infrastructure", None, "Deadline", "longer than 0.05 s"),)
    assert (done[0].result, done[0].scores) == (None, {})
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

    done = await runner(ask, concurrency=concurrency).run(jobs(9))
    assert most == concurrency
    assert [record.case_id for record in done] == [f"c-{i}" for i in range(9)]


@pytest.mark.parametrize(
    ("error", "kind", "asked"),
    [(ConnectionError("no model"), "infrastructure", 3), (TimeoutError("upstream"), "infrastructure", 3),
     (ValueError("a bug"), "crash", 1)],
)  # fmt: skip
async def test_only_infrastructure_is_tried_again(error: Exception, kind: str, asked: int) -> None:
    calls = 0

    async def broken(request: ChatRequest) -> ChatResult:
        nonlocal calls
        calls += 1
        raise error

    [record] = await runner(broken, retries=2).run(jobs(1))
    assert (calls, record.attempts, record.scores) == (asked, asked, {})
    assert record.failures == (Failure(kind, None, type(error).__name__, str(error)),)  # type: ignore[arg-type]


async def test_a_retry_that_succeeds_leaves_no_failure() -> None:
    answers: list[ChatResult | Exception] = [OSError("once"), make_result("5 minutes")]

    async def flaky(request: ChatRequest) -> ChatResult:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    [record] = await runner(flaky).run(jobs(1))
    assert (record.attempts, record.failures, record.scores["answer_match"]) == (2, (), 1.0)


async def test_a_wrong_answer_is_not_tried_again() -> None:
    calls = 0

    async def wrong(request: ChatRequest) -> ChatResult:
        nonlocal calls
        calls += 1
        return make_result("7 hours")

    [record] = await runner(wrong).run(jobs(1))
    assert (calls, record.scores["answer_match"]) == (1, 0.0)


async def test_an_answer_that_covers_for_a_failed_model_is_not_scored() -> None:
    async def covered(request: ChatRequest) -> ChatResult:
        return replace(make_result("5 minutes"), reason=Reason.PROVIDER_FAILED)

    [record] = await runner(covered, retries=0).run(jobs(1))
    assert (record.scores, record.failures[0].error) == ({}, "ProviderFailed")


async def test_an_answer_from_another_snapshot_is_not_scored() -> None:
    [record] = await runner(good, retries=0).run(jobs(1, "other"))
    assert record.result is None
    assert record.failures[0].error == "SnapshotChanged"


async def test_repeats_come_one_round_after_the_other_and_what_is_done_is_not_asked_again() -> None:
    kept: list[CaseRecord] = []
    whole = await runner(good, repeats=2).run(jobs(3))
    assert [(r.case_id, r.repeat) for r in whole] == [(f"c-{i}", n) for n in range(2) for i in range(3)]
    again = await runner(good, repeats=2, keep=kept.append).run(jobs(3), done=whole[:4])
    assert [(r.case_id, r.repeat) for r in kept] == [("c-1", 1), ("c-2", 1)]
    assert [(r.case_id, r.repeat, r.scores) for r in again] == [(r.case_id, r.repeat, r.scores) for r in whole]


async def test_the_cache_answers_by_release_snapshot_case_and_repeat(tmp_path: Path) -> None:
    calls = 0

    async def counted(request: ChatRequest) -> ChatResult:
        nonlocal calls
        calls += 1
        return make_result("5 minutes")

    def cached(release: str) -> Runner:
        return runner(counted, repeats=2, cache=ResultCache(tmp_path, release))

    first = await cached("r1").run(jobs(1))
    assert (calls, [r.cached for r in first]) == (2, [False, False])  # two repeats never share a turn
    second = await cached("r1").run(jobs(1))
    assert (calls, [r.cached for r in second], [r.total_ms for r in second]) == (2, [True, True], [None, None])
    assert [r.scores for r in second] == [r.scores for r in first]
    await cached("r2").run(jobs(1))
    assert calls == 4
    await cached("r1").run([replace(jobs(1)[0], case=make_case(id="c-0", question="Else?"))])
    assert calls == 6
    for file in tmp_path.rglob("*.json"):  # noqa: ASYNC240 -- a test
        file.write_text("{torn")
    await cached("r1").run(jobs(1))
    assert calls == 8


def test_a_scorer_that_breaks_is_a_failure_never_a_number() -> None:
    def broken(*_: object) -> float:
        raise ZeroDivisionError("nothing cited")

    scorers = {"broken": broken, "wild": lambda *_: 1.5, "nan": lambda *_: float("nan"), "fine": lambda *_: 0.5,
               "none": lambda *_: None}  # fmt: skip
    metrics = {name: Metric(scorer) for name, scorer in scorers.items()}
    scores, failures = score(metrics, make_case(), make_result("x"), evidence())
    assert scores == {"fine": 0.5}
    assert [(failure.kind, failure.scorer, failure.error) for failure in failures] == [
        ("scorer", "broken", "ZeroDivisionError"),
        ("scorer", "wild", "OutOfRange"),
        ("scorer", "nan", "OutOfRange"),
    ]


def test_records_come_back_as_they_were_written_packed_or_not(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    records = [
        blank("a", result=make_result("5 minutes\n“quoted” \u2028"), scores={"m": 0.1}),
        blank("b", failures=(Failure("infrastructure", None, "Deadline", "1 s"),)),
    ]
    with RecordFile(path) as file:
        for record in records:
            file.append(record)
    assert read_records(path) == records
    packed = tmp_path / "records.jsonl.xz"
    packed.write_bytes(pack_records(records))
    assert read_records(packed) == records


def test_a_torn_last_line_is_passed_over_and_cut_off_and_any_other_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    with RecordFile(path) as file:
        file.append(blank("a"))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    assert [record.case_id for record in read_records(path)] == ["a"]
    with RecordFile(path) as file:
        file.append(blank("b"))
    assert [record.case_id for record in read_records(path)] == ["a", "b"]
    path.write_bytes(whole[:20] + b"\n" + whole)
    with pytest.raises(RunDamaged, match=r"records\.jsonl:1 is not a record"):
        read_records(path)


def test_records_outlive_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    program = (
        "import time\nfrom pathlib import Path\nfrom evals.running.records import RecordFile\n"
        "from evals.types import CaseRecord\n"
        f"with RecordFile(Path({str(path)!r})) as file:\n"
        "    for i in range(3):\n        file.append(CaseRecord(f'c-{i}', 'h', 0, None, {}, (), 0.5))\n"
        "    print('written', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == b"written"
        os.kill(child.pid, signal.SIGKILL)
    assert [record.case_id for record in read_records(path)] == ["c-0", "c-1", "c-2"]


def test_records_are_synced_within_a_bounded_time_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    now = [0.0]
    path = tmp_path / "records.jsonl"
    monkeypatch.setattr("evals.running.records.os.fsync", lambda fd: synced.append(path.read_bytes().count(b"\n")))
    monkeypatch.setattr("evals.running.records.time.monotonic", lambda: now[0])
    now[0] = 100.0
    with RecordFile(path) as file:
        for i in range(4):  # at 100.00, 100.03, 100.06, 100.09 s
            file.append(blank(f"c-{i}"))
            assert len(read_records(path)) == i + 1  # the system has it: a killed process loses nothing
            now[0] += 0.03
    assert synced == [1, 3, 4]


def plan_of(root: Path, suite: Suite, **changes: Any) -> Plan:
    golden = load_golden_set(root, "tiny", changes.get("split", "dev"))
    return Plan(suite, [golden], select([golden]), **changes)


async def test_a_whole_run_through_the_real_pipeline(golden_root: Path, build_services: Build, tmp_path: Path) -> None:
    chosen = load_suite(str(write_suite(tmp_path / "tiny.yaml", scorers=list(load_suite("smoke").scorers))))
    services = build_services(ScriptedProvider([QUOTE, "I do not know."]))
    plan = plan_of(golden_root, chosen)
    texts = {"tiny": ready_corpus(services, plan.sets[0], None)}
    run = await evaluate(services, plan, texts)

    assert run.folder.parent == services.settings.home / "runs"
    info = read_run(run.folder / "run.json")
    assert info == run.info
    assert (info.suite, info.release.provider, info.cases) == ("tiny", "scripted", ("a-1", "a-2"))
    assert info.snapshots == {"golden-tiny": texts["tiny"].snapshot}
    assert info.golden_sets == {"tiny": plan.sets[0].sha256}
    assert info.versions["python"]
    assert info.finished is not None
    assert info.summary is not None
    assert info.reference_ms is not None
    again = load_run(run.folder)
    assert again.cases == run.cases
    first, second = again.records
    assert first.result is not None
    assert first.result.claims[0].citations[0].quote == QUOTE
    assert first.scores["answer_match"] == 1.0
    assert second.case_id == "a-2"
    assert not first.failures + second.failures


async def test_a_run_of_the_test_split_keeps_scores_and_no_texts(tmp_path: Path, build_services: Build) -> None:
    write_set(tmp_path / "sets", [case_json("a-1"), case_json("t-1", split="test"), case_json("t-2", **ABSTAIN, split="test")])  # fmt: skip # noqa: E501
    suite = load_suite(str(write_suite(tmp_path / "tiny.yaml")))
    services = build_services(ScriptedProvider(repeat(QUOTE)))
    plan = plan_of(tmp_path / "sets", suite, split="test")
    run = await evaluate(services, plan, {"tiny": ready_corpus(services, plan.sets[0], None)})
    assert {record.case_id for record in run.records} == {"t-1", "t-2"}
    assert run.cases == ()
    assert all(record.result is None and record.scores for record in load_run(run.folder).records)
    assert not (run.folder / "cases.jsonl").exists()
    written = "".join(path.read_text("utf-8") for path in run.folder.iterdir())
    assert "roll back" not in written


async def test_a_run_that_broke_off_is_resumed_to_the_same_end(
    golden_root: Path, build_services: Build, tmp_path: Path
) -> None:
    suite = load_suite(str(write_suite(tmp_path / "tiny.yaml")))
    services = build_services(ScriptedProvider(repeat(QUOTE)))
    plan = plan_of(golden_root, suite)
    texts = {"tiny": ready_corpus(services, plan.sets[0], None)}
    whole = await evaluate(services, plan, texts)
    lines = (whole.folder / "records.jsonl").read_bytes().splitlines(keepends=True)
    (whole.folder / "records.jsonl").write_bytes(lines[0] + lines[1][:30])
    resumed = await evaluate(services, plan, texts, resume=whole.folder)
    assert [(r.case_id, r.scores) for r in resumed.records] == [(r.case_id, r.scores) for r in whole.records]
    assert len(read_records(whole.folder / "records.jsonl")) == 2
    other = replace(plan, cases=plan.cases[:1])
    with pytest.raises(NotComparable, match="its cases differs"):
        await evaluate(services, other, texts, resume=whole.folder)


async def test_evidence_that_does_not_match_stops_the_run_before_it_begins(
    tmp_path: Path, build_services: Build
) -> None:
    gold = {"action": "answer", "answers": ["x"], "evidence": [{"uri": "canary.md", "quote": "Nowhere."}]}
    write_set(tmp_path / "sets", [case_json("a", gold=gold)])
    services = build_services(ScriptedProvider(repeat("x")))
    plan = plan_of(tmp_path / "sets", load_suite(str(write_suite(tmp_path / "tiny.yaml"))))
    with pytest.raises(EvidenceError, match="Case a"):
        await evaluate(services, plan, {"tiny": ready_corpus(services, plan.sets[0], None)})
    assert not (services.settings.home / "runs").exists()


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"scorers": ["odd"]}, "no such scorer: odd"), ({"deadline_s": 0}, "deadline_s"), ({"surplus": 1}, "surplus"),
     ({"gate": {"metrics": {"token_f1": {"margin": 0.1}}}}, "token_f1")],
)  # fmt: skip
def test_a_wrong_suite_names_file_and_field(tmp_path: Path, changes: dict[str, object], why: str) -> None:
    with pytest.raises(SuiteError, match=rf"bad\.yaml: .*{why}"):
        load_suite(str(write_suite(tmp_path / "bad.yaml", **changes)))


def test_an_unknown_suite_names_those_that_ship() -> None:
    with pytest.raises(SuiteError, match=r"Shipped: .*smoke"):
        load_suite("none")
