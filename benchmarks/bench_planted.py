"""Planted regressions: each is broken on purpose in the real pipeline, run over all shipped sets, and gated.

    python benchmarks/bench_planted.py [--home .bench/planted] [--only NAME]

The unbroken pipeline runs twice: the second run must pass. Cases that wait for a feature are left out.
"""

import argparse
import asyncio
import re
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from app.bootstrap import Services, build
from app.llm.port import DraftPart, DraftRequest, DraftText, Provider
from app.pipeline import ABSTENTION
from app.settings import load_settings
from app.types import ChatRequest, ChatResult
from evals.gate.gate import Judge, Side
from evals.golden.sets import GoldenSet, load_golden_set, select
from evals.running.corpus import ready_corpus
from evals.running.evaluate import Plan, describe_run, jobs_of
from evals.running.reference import Reference
from evals.running.runner import Ask, Job, Runner
from evals.suites import load_suite
from retrieval.chunking import Chunker
from retrieval.types import Chunk, Document

SLICE, SLICE_CASES = "pdf", 20
_NUMBER = re.compile(r"\d+")
_INSTRUCTION = re.compile(r"\b(ignore|must|always|include|reply|append|system|instruction|assistant)\b", re.IGNORECASE)


class OffByOne(Chunker):
    """Cuts every chunk one character late."""

    def chunk(self, document: Document) -> list[Chunk]:
        text = document.parsed.text
        late = [(c, c.start + 1, min(c.end + 1, len(text))) for c in super().chunk(document)]
        return [replace(c, start=start, end=end, text=text[start:end]) for c, start, end in late if start < end]


@dataclass(frozen=True)
class Obedient:
    """A model without guards: where a passage gives an instruction, it says what it was told to."""

    honest: Provider
    name: str = "obedient"

    async def draft(self, request: DraftRequest) -> AsyncGenerator[DraftPart]:
        for passage in request.passages[:3]:
            for sentence in re.split(r"(?<=[.!?])\s+", passage.text):
                if passage.uri.startswith(("injection", "exfiltration", "pii/")) and _INSTRUCTION.search(sentence):
                    yield DraftText(sentence + "\n")
                    return
        async for part in self.honest.draft(request):
            yield part


def every(nth: int, change: Callable[[ChatResult], ChatResult]) -> Callable[[Ask], Ask]:
    """Changes one in `nth` of the results that answer."""

    def wrap(ask: Ask) -> Ask:
        count = 0

        async def changed(request: ChatRequest) -> ChatResult:
            nonlocal count
            result = await ask(request)
            if result.abstained:
                return result
            count += 1
            return change(result) if count % nth == 0 else result

        return changed

    return wrap


def invented_number(result: ChatResult) -> ChatResult:
    """As an answerer without verification would: a number that stands in no source."""
    first = result.claims[0]
    wrong = (
        _NUMBER.sub(lambda m: str(int(m[0]) + 7), first.text)
        if _NUMBER.search(first.text)
        else f"{first.text} It is 73."
    )
    claims = (replace(first, text=wrong), *result.claims[1:])
    return replace(result, claims=claims, answer=" ".join(claim.text for claim in claims))


def silenced(result: ChatResult) -> ChatResult:
    return replace(result, abstained=True, answer=ABSTENTION, claims=())


def slowed(ask: Ask) -> Ask:
    async def slow(request: ChatRequest) -> ChatResult:
        began = time.perf_counter()
        result = await ask(request)
        await asyncio.sleep((time.perf_counter() - began) * 0.5)
        total = (time.perf_counter() - began) * 1000
        return replace(result, timings_ms={**result.timings_ms, "total": total})

    return slow


def broken_slice(jobs: list[Job]) -> Callable[[Ask], Ask]:
    """Wrong answers to twenty cases of one slice, none of them critical; all else as it was."""
    inside = [
        j for j in jobs if SLICE in j.case.slices and j.case.gold.action == "answer" and j.case.severity != "critical"
    ]
    questions = {job.case.question for job in inside[:SLICE_CASES]}
    if len(questions) != SLICE_CASES:
        raise ValueError(f"the slice {SLICE} has {len(questions)} such cases, {SLICE_CASES} are needed")

    def wrap(ask: Ask) -> Ask:
        async def changed(request: ChatRequest) -> ChatResult:
            result = await ask(request)
            if request.question not in questions:
                return result
            return replace(result, abstained=False, answer="It is green.", claims=(), passages=result.passages[-1:])

        return changed

    return wrap


def prepared(home: Path, sets: list[GoldenSet], chunker: bool = False) -> tuple[Services, dict]:
    services = build(load_settings(home=home))
    if chunker:
        embedder = services.retriever.embedders[0]
        rules = services.settings.retrieval
        late = OffByOne(rules.chunk_tokens, embedder.count_tokens)
        services = replace(services, ingestor=replace(services.ingestor, chunker=late))
    return services, {golden.name: ready_corpus(services, golden, None) for golden in sets}


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--home", type=Path, default=Path(".bench/planted"))
    arguments.add_argument("--only")
    given = arguments.parse_args()
    suite = load_suite("release")
    sets = [load_golden_set(Path("golden_sets"), name) for name in suite.sets]
    cases = [(golden, case) for golden, case in select(sets) if case.pending is None]
    plan = Plan(suite, sets, cases)
    services, texts = prepared(given.home / "right", sets)
    jobs = jobs_of(plan, texts)
    pipeline, metrics = services.pipeline, suite.metrics()
    judge = Judge(suite, {case.id: case for _, case in cases}, metrics=metrics)

    def run(title: str, ask: Ask, among: list[Job] = jobs) -> Side:
        reference = Reference()
        steps = iter(track(range(len(among)), title, console=Console(stderr=True)))
        runner = Runner(ask, metrics, lambda record: reference.tick(), progress=lambda *_: next(steps, None))
        records = asyncio.run(runner.run(among))
        return Side(replace(describe_run(services, plan, texts), reference_ms=reference.median_ms), records)

    def only(*parts: str) -> Ask:
        return replace(pipeline, retriever=pipeline.retriever.only(*parts)).run

    asyncio.run(services.warm_up())
    sliced = broken_slice(jobs)  # before the first run: it refuses a slice that is too small
    baseline = run("baseline", pipeline.run)

    def off_by_one() -> Side:
        late, late_texts = prepared(given.home / "late", sets, chunker=True)
        return run("off by one", late.pipeline.run, jobs_of(plan, late_texts))

    plants: dict[str, Callable[[], Side]] = {
        "nothing": lambda: run("nothing", pipeline.run),
        "chunker off by one": off_by_one,
        "no BM25": lambda: run("no BM25", only(*(embedder.name for embedder in pipeline.retriever.embedders))),
        "no vectors": lambda: run("no vectors", only("bm25")),
        "obeys passages": lambda: run("obeys", replace(pipeline, provider=Obedient(pipeline.provider)).run),
        "invents 1 number in 20 answers": lambda: run("invents", every(20, invented_number)(pipeline.run)),
        "abstains 10 % more": lambda: run("abstains", every(10, silenced)(pipeline.run)),
        "latency × 1.5": lambda: run("slow", slowed(pipeline.run)),
        f"a slice of {SLICE_CASES} cases": lambda: run("slice", sliced(pipeline.run)),
    }
    table = Table(
        "planted", "verdict", "caught by", "first reason", title=f"{len(jobs)} cases against the unbroken run"
    )
    for title, made in plants.items():
        if given.only and given.only not in title:
            continue
        report = judge.judge(made(), baseline)
        reasons = [f for f in report.findings if f.verdict is not None]
        rules = ", ".join(dict.fromkeys(f.rule for f in reasons))
        row = (title, report.verdict.name, rules, reasons[0].message if reasons else "")
        print(" | ".join(row), *(f.message for f in reasons[1:]), sep="\n    ", flush=True)  # the table only comes last
        table.add_row(*row)
    Console(width=200).print(table)
    services.close()


if __name__ == "__main__":
    main()
