"""`assay batch` against asking one by one: questions a second, and what embedding questions together would bring.

    python benchmarks/bench_batch.py [--limit 60] [--home .bench] [--latency-ms 300]

The questions are xquad_en's, each once, over its 240 paragraphs. "no model" is the extractive answerer, where the
processor is what is waited for; "model" adds a pause of --latency-ms to each draft, as a server elsewhere would. The
last table embeds the same questions one at a time and all at once: the most that batching them could save a turn.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from pathlib import Path

from bench import retrieval_set, services_over

from app.batch import Batch, run_batch
from app.bootstrap import Services
from app.joining.serving import serving
from app.llm.port import DraftPart, DraftRequest, Provider
from app.types import ChatRequest


@dataclass
class Slow:
    """The extractive answer after a pause."""

    inner: Provider
    latency_s: float
    name: str = "slow"

    async def draft(self, request: DraftRequest) -> AsyncGenerator[DraftPart]:
        await asyncio.sleep(self.latency_s)
        async for part in self.inner.draft(request):
            yield part


def one_by_one(services: Services, questions: list[str]) -> float:
    async def ask() -> None:
        answers = serving(services).answers
        for question in questions:
            await answers.run(ChatRequest(question))

    began = time.perf_counter()
    asyncio.run(ask())
    return len(questions) / (time.perf_counter() - began)


def as_batch(services: Services, questions: list[str], parallel: int, folder: Path) -> float:
    file = folder / "questions.jsonl"
    file.write_text("".join(json.dumps({"question": question}) + "\n" for question in questions), encoding="utf-8")
    out = folder / f"answers-{parallel}.jsonl"
    out.unlink(missing_ok=True)
    batch = Batch(file, out, "default", services.settings.chat, parallel=parallel)
    summary = asyncio.run(run_batch(serving(services).answers, batch, lambda *_: None))
    assert summary.answered == len(questions)
    return summary.answered / summary.seconds


def embedding(services: Services, questions: list[str]) -> None:
    print("\n| embedder | one at a time, ms a question | all at once, ms a question |\n|---|---|---|")
    for embedder in services.retriever.embedders:
        embedder.embed_passages(questions[:8])
        began = time.perf_counter()
        for question in questions:
            embedder.embed_query(question)
        middle = time.perf_counter()
        embedder.embed_passages(questions)
        alone, together = (middle - began), (time.perf_counter() - middle)
        print(f"| {embedder.name} | {alone / len(questions) * 1000:.1f} | {together / len(questions) * 1000:.1f} |")


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--limit", type=int, default=60)
    arguments.add_argument("--home", type=Path, default=Path(".bench"))
    arguments.add_argument("--latency-ms", type=float, default=300.0)
    given = arguments.parse_args()
    bench = retrieval_set("xquad_en")
    services = services_over(bench.corpus, given.home / "xquad_en")
    questions = [row["text"] for row in bench.queries][:: max(1, len(bench.queries) // given.limit)][: given.limit]
    questions = list(dict.fromkeys(questions))
    slow = replace(services.pipeline, provider=Slow(services.pipeline.fallback, given.latency_ms / 1000))
    try:
        asyncio.run(services.warm_up())
        one_by_one(services, questions[:4])
        print(f"n = {len(questions)} questions, questions a second\n")
        print("| | one by one | batch of 1 | of 4 | of 8 |\n|---|---|---|---|---|")
        with tempfile.TemporaryDirectory() as folder:
            for name, over in (("no model", services), ("model", replace(services, pipeline=slow))):
                rates = [one_by_one(over, questions)]
                rates += [as_batch(over, questions, parallel, Path(folder)) for parallel in (1, 4, 8)]
                print(f"| {name} | " + " | ".join(f"{rate:.1f}" for rate in rates) + " |")
        embedding(services, questions)
    finally:
        services.close()


if __name__ == "__main__":
    main()
