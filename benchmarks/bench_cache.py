"""What the semantic cache gives and costs: hits, wrong hits, time and tokens saved.

    python benchmarks/bench_cache.py [--limit 60] [--home .bench] [--latency-ms 300]

Part 1, pairs of questions, on the reporting halves (fit_cache.py read the others) and on two sets that nothing was
fitted on. Paraphrases are what people wrote: a turn of an mtrag conversation that stands on its own beside its
annotator's rewrite, and xquad questions with the same answer. Novel questions have nothing equal in the cache: each is
looked up among all others of its set. Cosine alone stands beside it, at several thresholds.

Part 2, whole turns over xquad_en through what serves, with a model that takes --latency-ms a draft (it repeats the
extractive answer, so answers are real): each question once, again, in a polite form, and a near miss (the next question
on the same paragraph). An answer is right if it holds the question's gold answer; "fresh" are the same questions to the
pipeline alone.
"""

import argparse
import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from bench import interval, is_tuning, retrieval_set, services_over, words
from fit_cache import Asked, nearest, questions

from app.answering import Answers
from app.bootstrap import Services
from app.caching.agreement import agree
from app.caching.learned import learned_for
from app.conversation import standalone
from app.joining.serving import serving
from app.llm.port import DraftPart, DraftRequest, DraftText, DraftUsage, Provider
from app.settings import load_settings, set_offline_variables
from app.tokens import count_tokens
from app.types import ChatRequest, ChatResult, Message, Usage
from retrieval.embedders.minilm import MiniLM
from retrieval.embedders.port import Embedder

UNSEEN = ("anthropic_docs", "scifact")
ALONE = (0.90, 0.95, 0.98)


def paraphrases() -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for name in ("mtrag_clapnq", "mtrag_cloud"):
        bench = retrieval_set(name)
        rows = [
            (row["text"], row["rewrite"]) for row in bench.queries if row.get("rewrite") and not is_tuning(bench, row)
        ]
        anything = (Message("user", "Which of the two is better?"),)  # a follow-up would carry it
        found[name] = [
            (one, other) for one, other in rows if standalone(one, anything) == one and words(one) != words(other)
        ]
    asked = dict(questions(tuning=False, sets=("xquad_en",)))["xquad_en"]
    found["xquad_en"] = [
        (one.text, other.text)
        for at, one in enumerate(asked)
        for other in asked[:at]
        if one.answers & other.answers and len(set(words(one.text).split()) & set(words(other.text).split())) > 3
    ]
    return found


def pairs(embedder: Embedder) -> None:
    threshold = learned_for(embedder.fingerprint).threshold
    print(
        f"Pairs of questions; threshold {threshold}\n\n| | shipped | " + " | ".join(f"cosine {t} alone" for t in ALONE)
    )
    print("|---|---|" + "---|" * len(ALONE))
    for name, found in paraphrases().items():
        one, other = (embedder.embed_passages([pair[side] for pair in found]) for side in (0, 1))
        cosines = (one * other).sum(axis=1)
        shipped = [c >= threshold and agree(*pair) for c, pair in zip(cosines, found, strict=True)]
        alone = (interval(c >= t for c in cosines) for t in ALONE)
        print(f"| {name}: paraphrases hit | {interval(shipped)} | " + " | ".join(alone) + " |")
    sets: dict[str, list[Asked]] = dict(questions(tuning=False))
    for name in UNSEEN:
        sets[name] = [
            Asked(row["text"], frozenset({words(str(row.get("answer") or row["id"]))}))
            for row in retrieval_set(name).queries
        ]
    for name, asked in sets.items():
        guarded, plain = nearest(asked, embedder, guarded=True), nearest(asked, embedder, guarded=False)
        alone = (interval(c >= t for c in plain) for t in ALONE)
        print(
            f"| {name}: novel questions hit | {interval(c >= threshold for c in guarded)} | " + " | ".join(alone) + " |"
        )


@dataclass
class Slow:
    """The extractive answer after a pause, as a model would take it."""

    inner: Provider
    latency_s: float
    name: str = "slow"
    drafts: int = 0

    async def draft(self, request: DraftRequest) -> AsyncGenerator[DraftPart]:
        self.drafts += 1
        await asyncio.sleep(self.latency_s)
        text = ""
        async for part in self.inner.draft(request):
            if isinstance(part, DraftText):
                text += part.text
                yield part
        prompt = sum(count_tokens(passage.text) for passage in request.passages)
        yield DraftUsage(Usage(prompt, count_tokens(text)))


def polite(question: str) -> str:
    return f"Could you please tell me: {question}"


async def turns(services: Services, rows: list[dict[str, Any]], near: list[dict[str, Any]], latency_ms: float) -> None:
    slow = Slow(services.pipeline.fallback, latency_ms / 1000)
    pipeline = replace(services.pipeline, provider=slow)
    answers = serving(replace(services, pipeline=pipeline)).answers
    print(f"\nWhole turns, {latency_ms:.0f} ms a draft\n")
    print("| asked | hits | right | right, fresh | p50 ms of hits | p50 ms of turns | tokens | tokens, fresh |")
    print("|---|---|---|---|---|---|---|---|")
    for name, asked, form in (
        ("once", rows, str),
        ("again", rows, str),
        ("politely", rows, polite),
        ("near misses", near, str),
    ):
        said = [await timed(answers, form(row["text"])) for row in asked]
        fresh = [await timed(pipeline, form(row["text"])) for row in asked]
        hits = [ms for result, ms in said if result.cached]
        missed = [ms for result, ms in said if not result.cached]
        times = " | ".join(f"{np.median(ms):.0f}" if ms else "–" for ms in (hits, missed))
        print(
            f"| {name} | {len(hits)} of {len(said)} | {right(asked, said)} | {right(asked, fresh)} | {times} "
            f"| {tokens(said)} | {tokens(fresh)} |"
        )


def right(asked: list[dict[str, Any]], said: list[tuple[ChatResult, float]]) -> int:
    pairs = zip(asked, said, strict=True)
    return sum(any(words(answer) in words(result.answer) for answer in row["answers"]) for row, (result, _) in pairs)


def tokens(said: list[tuple[ChatResult, float]]) -> int:
    return sum(result.usage.prompt_tokens + result.usage.completion_tokens for result, _ in said)


async def timed(answers: Answers, question: str) -> tuple[ChatResult, float]:
    began = time.perf_counter()
    result = await answers.run(ChatRequest(question))
    return result, (time.perf_counter() - began) * 1000


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--limit", type=int, default=60)
    arguments.add_argument("--home", type=Path, default=Path(".bench"))
    arguments.add_argument("--latency-ms", type=float, default=300.0)
    given = arguments.parse_args()
    set_offline_variables()
    pairs(MiniLM())
    bench = retrieval_set("xquad_en")
    services = services_over(bench.corpus, given.home / "xquad_en")
    services.stores.kept.cache.clear()
    semantic = load_settings(home=given.home / "xquad_en", corpus="default", cache={"mode": "semantic"})
    services = replace(services, settings=semantic)
    reporting = [row for row in bench.queries if not is_tuning(bench, row)]
    step = max(2, len(reporting) // given.limit)
    rows, near = (reporting[first::step][: given.limit] for first in (0, 1))
    try:
        asyncio.run(turns(services, rows, near, given.latency_ms))
    finally:
        services.close()


if __name__ == "__main__":
    main()
