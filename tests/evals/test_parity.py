"""Evaluation runs the very pipeline that serves: the same case by HTTP and by the eval runner gives one result."""

from itertools import repeat
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.bootstrap import Services
from app.http.server import create_app
from app.llm.scripted import ScriptedProvider
from app.rendering import result_json
from evals.golden.sets import load_golden_set, select
from evals.running.corpus import ready_corpus
from evals.running.evaluate import Plan, jobs_of
from evals.running.runner import Runner
from evals.suites import load_suite
from tests.conftest import Build
from tests.evals.conftest import ABSTAIN, QUOTE, case_json, write_set, write_suite

HISTORY = [{"role": "user", "content": "What is a canary?"}, {"role": "assistant", "content": "A small release."}]
UNEQUAL = {"turn_id", "timings_ms"}
"""What no two turns share."""


async def by_http(services: Services, corpus: str, question: str, history: list[dict[str, str]]) -> dict[str, Any]:
    transport = httpx.ASGITransport(create_app(services, require_key=False))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        body = {"question": question, "history": history, "corpus": corpus}
        response = await client.post("/v1/chat", json=body)
    response.raise_for_status()
    shown: dict[str, Any] = response.json()
    return shown


@pytest.mark.parametrize("scripted", [True, False], ids=["a scripted model", "the extractive answerer"])
async def test_a_case_has_one_result_by_http_and_by_the_runner(
    scripted: bool, tmp_path: Path, build_services: Build
) -> None:
    cases = [case_json("a"), case_json("b", history=HISTORY, kind="multi_turn", question="And how fast back?"),
             case_json("c", **ABSTAIN, question="Who invented the bicycle?")]  # fmt: skip
    write_set(tmp_path / "sets", cases)
    services = build_services(ScriptedProvider(repeat(QUOTE)) if scripted else None)
    golden = load_golden_set(tmp_path / "sets", "tiny")
    plan = Plan(load_suite(str(write_suite(tmp_path / "tiny.yaml"))), [golden], select([golden]))
    jobs = jobs_of(plan, {"tiny": ready_corpus(services, golden, None)})
    records = await Runner(services.pipeline.run, plan.suite.metrics(), lambda record: None).run(jobs)
    for job, record in zip(jobs, records, strict=True):
        assert record.result is not None
        case = job.case
        history = [turn.model_dump() for turn in case.history]
        served = await by_http(services, job.corpus, case.question, history)
        evaluated = result_json(record.result)
        assert {k: v for k, v in served.items() if k not in UNEQUAL} == {
            k: v for k, v in evaluated.items() if k not in UNEQUAL
        }
        assert served.keys() == evaluated.keys()
        assert served["timings_ms"].keys() == evaluated["timings_ms"].keys()
