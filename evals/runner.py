"""Cases through the pipeline: bounded in number and time, scored, and on disk before the next one counts as done."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from app.types import ChatRequest, ChatResult
from evals.cases import Case
from evals.scorers import SCORERS
from evals.suites import Suite
from evals.types import CaseRecord, Evidence, Failure, Scorer

Ask = Callable[[ChatRequest], Awaitable[ChatResult]]
Keep = Callable[[CaseRecord], None]
Step = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs cases as a suite says, against one snapshot. `ask` is the pipeline that serves; `keep` writes a record."""

    ask: Ask
    suite: Suite
    snapshot: str
    keep: Keep
    progress: Step = lambda step, done, total: None

    async def run(self, jobs: Sequence[tuple[Case, Evidence]]) -> list[CaseRecord]:
        """Run all cases, at most `suite.concurrency` at once; records are in the order of the cases."""
        done: dict[str, CaseRecord] = {}
        waiting = iter(jobs)

        async def work() -> None:
            for case, evidence in waiting:
                done[case.id] = record = await self.run_one(case, evidence)
                self.keep(record)
                self.progress("cases", len(done), len(jobs))

        self.progress("cases", 0, len(jobs))
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self.suite.concurrency, len(jobs))):
                group.create_task(work())
        return [done[case.id] for case, _ in jobs]

    async def run_one(self, case: Case, evidence: Evidence) -> CaseRecord:
        """Ask one case and score what came. Whatever goes wrong becomes a `Failure`, never a score."""
        began = time.perf_counter()
        result, failure = await self._asked(case)
        seconds = round(time.perf_counter() - began, 6)
        if result is None:
            return CaseRecord(case.id, None, {}, (failure,) if failure else (), seconds)
        scorers = {name: SCORERS[name] for name in self.suite.scorers}
        scores, failures = score(scorers, case, result, evidence)
        return CaseRecord(case.id, result, scores, failures, seconds)

    async def _asked(self, case: Case) -> tuple[ChatResult | None, Failure | None]:
        try:
            async with asyncio.timeout(self.suite.deadline_s) as deadline:
                result = await self.ask(case.request(self.suite.corpus))
        except Exception as error:  # noqa: BLE001 -- a turn may fail in any way; it is recorded and counted
            if deadline.expired():
                return None, Failure("run", None, "Deadline", f"longer than {self.suite.deadline_s:g} s")
            return None, _failure("run", None, error)
        if result.snapshot != self.snapshot:
            message = f"answered from snapshot {result.snapshot}, not {self.snapshot}: the corpus changed meanwhile"
            return None, Failure("run", None, "SnapshotChanged", message)
        return result, None


def score(
    scorers: dict[str, Scorer], case: Case, result: ChatResult, evidence: Evidence
) -> tuple[dict[str, float], tuple[Failure, ...]]:
    """All scores that apply, and a failure for each scorer that broke or left [0, 1]."""
    scores: dict[str, float] = {}
    failures: list[Failure] = []
    for name, scorer in scorers.items():
        try:
            value = scorer(case, result, evidence)
        except Exception as error:  # noqa: BLE001 -- a broken scorer says nothing about the answer
            failures.append(_failure("score", name, error))
            continue
        if value is None:
            continue
        if 0.0 <= value <= 1.0:
            scores[name] = value
        else:
            failures.append(Failure("score", name, "OutOfRange", f"{value} is not in [0, 1]"))
    return scores, tuple(failures)


def _failure(stage: str, scorer: str | None, error: Exception) -> Failure:
    return Failure("score" if stage == "score" else "run", scorer, type(error).__name__, str(error)[:500])
