"""Cases through the pipeline: bounded in number and time, scored, and on disk before the next one counts as done."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.errors import ProviderError
from app.types import ChatRequest, ChatResult, Reason
from evals.golden.cases import Case
from evals.running.cache import ResultCache
from evals.types import CaseRecord, Evidence, Failure, FailureKind, Metric

Ask = Callable[[ChatRequest], Awaitable[ChatResult]]
Keep = Callable[[CaseRecord], None]
Step = Callable[[str, int, int], None]

BACKOFF_S = 0.5
"""Before the first retry; doubled before each further one."""

_INFRASTRUCTURE = (OSError, TimeoutError, ProviderError)


@dataclass(frozen=True, slots=True)
class Job:
    """A case with what it is asked against."""

    case: Case
    corpus: str
    snapshot: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs jobs. `ask` is the pipeline that serves; `keep` writes a record; `cache` may know a turn already."""

    ask: Ask
    metrics: Mapping[str, Metric]
    keep: Keep
    repeats: int = 1
    concurrency: int = 1
    deadline_s: float = 60.0
    retries: int = 2
    cache: ResultCache = field(default_factory=lambda: ResultCache(None, ""))
    progress: Step = lambda step, done, total: None
    backoff_s: float = BACKOFF_S

    async def run(self, jobs: Sequence[Job], done: Collection[CaseRecord] = ()) -> list[CaseRecord]:
        """Run all repeats of all jobs, at most `concurrency` at once.

        Args:
            jobs: What to run.
            done: Records of an earlier run of the same that broke off; they are not run again.

        Returns:
            Records in the order of the jobs, all first repeats before all second ones.
        """
        known = {(record.case_id, record.repeat): record for record in done}
        todo = [(job, repeat) for repeat in range(self.repeats) for job in jobs]
        waiting = iter([(job, repeat) for job, repeat in todo if (job.case.id, repeat) not in known])

        async def work() -> None:
            for job, repeat in waiting:
                known[job.case.id, repeat] = record = await self.run_one(job, repeat)
                self.keep(record)
                self.progress("cases", len(known), len(todo))

        self.progress("cases", len(known), len(todo))
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self.concurrency, len(todo))):
                group.create_task(work())
        return [known[job.case.id, repeat] for job, repeat in todo]

    async def run_one(self, job: Job, repeat: int = 0) -> CaseRecord:
        """Ask one case and score what came. Whatever goes wrong becomes a `Failure`, never a score."""
        began = time.perf_counter()
        blank = CaseRecord(job.case.id, job.case.sha256, repeat, None, {}, (), 0.0)
        result, cached = self.cache.get(job.case, job.snapshot, repeat), True
        if result is None:
            result, failure, attempts = await self._asked(job)
            blank, cached = replace(blank, attempts=attempts), False
            if failure is not None or result is None:
                lost = (failure,) if failure else ()
                return replace(blank, failures=lost, seconds=round(time.perf_counter() - began, 6))
            self.cache.put(job.case, job.snapshot, repeat, result)
        scores, failures = score(self.metrics, job.case, result, job.evidence)
        return replace(
            blank,
            result=result,
            scores=scores,
            failures=failures,
            seconds=round(time.perf_counter() - began, 6),
            # A turn from the cache took its time on another day: it says nothing of this run's latency.
            total_ms=None if cached else result.timings_ms.get("total"),
            cached=cached,
        )

    async def _asked(self, job: Job) -> tuple[ChatResult | None, Failure | None, int]:
        """The turn, or why there is none, and after how many attempts: only infrastructure is tried again."""
        for attempt in range(1, self.retries + 2):
            result, failure = await self._attempt(job)
            if failure is None or failure.kind != "infrastructure" or attempt > self.retries:
                return result, failure, attempt
            await asyncio.sleep(self.backoff_s * 2 ** (attempt - 1))
        raise AssertionError("the last attempt returns")

    async def _attempt(self, job: Job) -> tuple[ChatResult | None, Failure | None]:
        deadline = asyncio.timeout(self.deadline_s)
        try:
            async with deadline:
                result = await self.ask(job.case.request(job.corpus))
        except Exception as error:  # noqa: BLE001 -- a turn may fail in any way; it is recorded and counted
            if deadline.expired():
                return None, Failure("infrastructure", None, "Deadline", f"longer than {self.deadline_s:g} s")
            kind: FailureKind = "infrastructure" if isinstance(error, _INFRASTRUCTURE) else "crash"
            return None, _failure(kind, None, error)
        if result.snapshot != job.snapshot:
            message = f"answered from snapshot {result.snapshot}, not {job.snapshot}: the corpus changed meanwhile"
            return None, Failure("infrastructure", None, "SnapshotChanged", message)
        if result.reason is Reason.OUT_OF_TIME:
            return None, Failure("infrastructure", None, "OutOfTime", "the turn's own deadline passed")
        if result.reason is Reason.PROVIDER_FAILED:
            # The pipeline covers for a model that cannot be reached; a measurement must not.
            return None, Failure("infrastructure", None, "ProviderFailed", f"{result.provider} broke off its draft")
        return result, None


def score(
    metrics: Mapping[str, Metric], case: Case, result: ChatResult, evidence: Evidence
) -> tuple[dict[str, float], tuple[Failure, ...]]:
    """All scores that apply, and a failure for each scorer that broke or left its range."""
    scores: dict[str, float] = {}
    failures: list[Failure] = []
    for name, metric in metrics.items():
        try:
            value = metric.score(case, result, evidence)
        except Exception as error:  # noqa: BLE001 -- a broken scorer says nothing about the answer
            failures.append(_failure("scorer", name, error))
            continue
        if value is None:
            continue
        if metric.low <= value <= metric.high:
            scores[name] = value
        else:
            message = f"{value} is not in [{metric.low:g}, {metric.high:g}]"
            failures.append(Failure("scorer", name, "OutOfRange", message))
    return scores, tuple(failures)


def _failure(kind: FailureKind, scorer: str | None, error: Exception) -> Failure:
    return Failure(kind, scorer, type(error).__name__, str(error)[:500])
