"""Turns against a model server that misbehaves: each ends by its deadline, and nothing is left behind.

    python benchmarks/bench_chaos.py [--turns 1000] [--concurrency 16] [--deadline 2.0] [--packaged] [--json]

The whole pipeline over the handbook, behind it two models on one loopback server in a process of its own
(chaos_upstream.py), by which calls are counted. Exits with 1 where a bound is broken.
"""

import argparse
import asyncio
import gc
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from app.bootstrap import Services, build
from app.http.server import quiet_heap
from app.settings import load_settings
from app.types import ChatRequest, ChatResult
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.files import list_files

ROOT = Path(__file__).parent.parent
HANDBOOK = ROOT / "golden_sets" / "handbook"
GRACE_S = 0.25
MOST_ATTEMPTS = 1.1
POOLED = 15
"""Descriptors that the database's pool of five connections may open at any time, and keeps."""


@dataclass
class Report:
    """What came of the turns; `broken` names the bounds that did not hold."""

    turns: int
    concurrency: int
    deadline_s: str
    seconds: float = 0.0
    over_ms: dict[str, float] = field(default_factory=dict)
    late: int = 0
    lag_ms: float = 0.0
    """The longest that the event loop did not get round to a task that was due: on a busy machine, what turns wait."""
    cpu_share: float = 0.0
    """Of one core, what this process got."""
    raised: dict[str, int] = field(default_factory=dict)
    upstream: dict[str, int] = field(default_factory=dict)
    attempts_ratio: float = 0.0
    attempts_told: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)


@contextmanager
def upstream(*arguments: str) -> Iterator[str]:
    """The address of a model server in a process of its own."""
    command = [sys.executable, str(ROOT / "benchmarks" / "chaos_upstream.py"), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def services_over_handbook(home: Path, base_url: str, *, packaged: bool = False, **settings: Any) -> Services:
    """The handbook, ingested, behind models at `base_url`."""
    model = {"base_url": f"{base_url}/v1", "timeout_s": 30.0, "first_token_s": 0.8, "stall_s": 0.5}
    llm = {
        "models": {"large": {**model, "model": "large"}, "small": {**model, "model": "small"}},
        "routes": {"answering": ["large", "small"], "smaller": "small"},
        "retry": {"open_s": 0.5},
    }
    given = load_settings(home=home, **{"llm": llm, **settings})
    services = build(given, embedder=None if packaged else HashingEmbedder())
    services.ingestor.ingest(list_files([HANDBOOK / "corpus"]), "default")
    return services


def questions() -> list[str]:
    rows = (HANDBOOK / "cases.jsonl").read_text("utf-8").splitlines()
    return [json.loads(row)["question"] for row in rows]


async def stats(base_url: str) -> dict[str, Any]:
    async with httpx.AsyncClient() as client:
        return (await client.get(f"{base_url}/stats")).json()  # type: ignore[no-any-return]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0  # noqa: PTH208


class Turns:
    """Puts questions to a pipeline, so many at a time, and times each against its own deadline."""

    def __init__(self, services: Services, deadline_s: float) -> None:
        self.services = services
        self.asked = questions()
        self.deadline_s = deadline_s
        self.over_s: list[float] = []
        self.results: list[ChatResult] = []
        self.raised: Counter[str] = Counter()

    async def one(self, number: int) -> None:
        # From half to the whole of the deadline, so that turns do not all end together.
        deadline_s = self.deadline_s * (0.5 + (number % 11) / 20)
        request = ChatRequest(self.asked[number % len(self.asked)], deadline_s=deadline_s)
        began = time.perf_counter()
        try:
            self.results.append(await self.services.pipeline.run(request))
        except Exception as error:  # noqa: BLE001 -- counted: no turn may raise
            self.raised[type(error).__name__] += 1
        self.over_s.append(time.perf_counter() - began - deadline_s)

    async def all(self, turns: int, concurrency: int) -> float:
        numbers = iter(range(turns))
        began = time.perf_counter()

        async def worker() -> None:
            for number in numbers:
                await self.one(number)

        await asyncio.gather(*(worker() for _ in range(concurrency)))
        return time.perf_counter() - began


async def left_open(base_url: str) -> dict[str, int]:
    """Tasks, threads and file descriptors of this process, and connections that the model server sees."""
    gc.collect()
    connections = (await stats(base_url))["open"]
    return {
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "connections": connections,
        "descriptors": descriptors() - connections,
    }


async def run(services: Services, base_url: str, turns: int, concurrency: int, deadline_s: float) -> Report:
    """Run the turns and hold them to the bounds."""
    await services.warm_up()
    quiet_heap()  # as the service does
    await Turns(services, deadline_s).all(4 * concurrency, concurrency)  # every pool has its threads then
    before, calls_before = await left_open(base_url), (await stats(base_url))["calls"]
    runner = Turns(services, deadline_s)
    report = Report(turns, concurrency, f"{deadline_s / 2:g} to {deadline_s:g}")
    lag = asyncio.create_task(_watch_lag(report))
    cpu = time.process_time()
    report.seconds = await runner.all(turns, concurrency)
    report.cpu_share = (time.process_time() - cpu) / report.seconds
    lag.cancel()
    await services.routes.close()
    await asyncio.sleep(0.5)
    after, calls_after = await left_open(base_url), (await stats(base_url))["calls"]
    before["connections"] = 0  # all of them are to be closed now
    report.left = {what: max(0, after[what] - before[what]) for what in after}
    report.upstream = {manner: calls_after[manner] - calls_before.get(manner, 0) for manner in sorted(calls_after)}
    over = np.array(runner.over_s) * 1000
    report.over_ms = {
        "p50": float(np.percentile(over, 50)),
        "p99": float(np.percentile(over, 99)),
        "most": float(over.max()),
    }
    report.late = int((over > GRACE_S * 1000).sum())
    report.raised = dict(runner.raised)
    report.attempts_ratio = sum(report.upstream.values()) / turns
    report.attempts_told = sum(result.attempts for result in runner.results)
    report.outcomes = dict(Counter(f"{result.reason}, {result.provider}" for result in runner.results).most_common())
    report.steps = dict(Counter(str(step) for result in runner.results for step in result.degraded).most_common())
    report.broken = list(_broken(report))
    return report


async def _watch_lag(report: Report) -> None:
    while True:
        due = time.perf_counter() + 0.02
        await asyncio.sleep(0.02)
        report.lag_ms = max(report.lag_ms, (time.perf_counter() - due) * 1000)


def _broken(report: Report) -> Iterator[str]:
    if report.late:
        yield f"{report.late} turns ended more than {GRACE_S * 1000:.0f} ms after their deadline"
    if report.raised:
        yield f"turns raised {report.raised}"
    if report.attempts_ratio > MOST_ATTEMPTS:
        yield f"{report.attempts_ratio:.3f} attempts per turn"
    # A call whose turn ran out before its connection was made is told by us and never seen upstream.
    if report.attempts_told < sum(report.upstream.values()):
        yield f"{report.attempts_told} attempts told, {sum(report.upstream.values())} seen upstream"
    for what, count in report.left.items():
        if count > (POOLED if what == "descriptors" else 0):
            yield f"{count} {what} left behind"


def table(report: Report) -> str:
    rows = [
        ("turns, at once", f"{report.turns:,}, {report.concurrency}"),
        ("deadline", f"{report.deadline_s} s"),
        ("took", f"{report.seconds:.0f} s"),
        ("end against deadline: p50, p99, most", ", ".join(f"{ms:+.0f} ms" for ms in report.over_ms.values())),
        (f"more than {GRACE_S * 1000:.0f} ms late", str(report.late)),
        ("longest lag of the event loop", f"{report.lag_ms:.0f} ms"),
        ("share of a core that it got", f"{report.cpu_share:.0%}"),
        ("raised", _counts(report.raised)),
        ("calls upstream, by manner", _counts(report.upstream)),
        ("attempts per turn (most 1.1)", f"{report.attempts_ratio:.3f}"),
        ("attempts told by results", str(report.attempts_told)),
        ("steps of the ladder", _counts(report.steps)),
        ("outcomes", _counts(report.outcomes)),
        ("left behind", _counts(report.left)),
    ]
    return "\n".join(["| chaos | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--turns", type=int, default=1_000)
    arguments.add_argument("--concurrency", type=int, default=16)
    arguments.add_argument("--deadline", type=float, default=2.0, help="Seconds; turns get from half to all of it.")
    arguments.add_argument("--seed", type=int, default=7)
    arguments.add_argument("--packaged", action="store_true", help="The packaged models, not the hashing embedder.")
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args()
    logging.disable(logging.WARNING)  # every failed call says so
    with tempfile.TemporaryDirectory() as home, upstream("--seed", str(given.seed)) as base_url:
        services = services_over_handbook(Path(home), base_url, packaged=given.packaged)
        try:
            report = asyncio.run(run(services, base_url, given.turns, given.concurrency, given.deadline))
        finally:
            services.close()
    print(json.dumps(asdict(report), indent=2) if given.json else table(report))
    for broken in report.broken:
        print(f"BROKEN: {broken}", file=sys.stderr)
    return 1 if report.broken else 0


if __name__ == "__main__":
    sys.exit(main())
