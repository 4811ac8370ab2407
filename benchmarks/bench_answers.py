"""Answers on the reporting halves of public sets: what is cited, whether it holds the gold answer, abstention.

    python benchmarks/bench_answers.py [--limit 100] [--home .bench]

Nothing is fitted here. "quote valid" is `quote == canonical_text[start:end]`, checked against the store.
"""

import argparse
import asyncio
from pathlib import Path

from bench import interval, is_tuning, services_of, words
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import mannwhitneyu

from app.types import ChatRequest, ChatResult


def cited(result: ChatResult) -> list:
    return [citation for claim in result.claims for citation in claim.citations]


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--limit", type=int, default=100)
    arguments.add_argument("--home", type=Path, default=Path(".bench"))
    given = arguments.parse_args()
    table = Table(
        "set", "questions", "answered", "citations, quote valid", "cites a gold passage", "gold answer in answer"
    )
    for name in ("xquad_en", "anthropic_docs", "clapnq"):
        bench, services = services_of(name, given.home)
        queries = [q for q in bench.queries if not is_tuning(bench, q) and q.get("answerable", True)]
        if name == "anthropic_docs":  # 100 questions in all, half of which fitted three weights of the answerer
            queries = [q for q in bench.queries if q.get("answerable", True)]
        valid, covers, holds, answered = [], [], [], []
        for query in track(
            queries[:: max(1, len(queries) // given.limit)][: given.limit], name, console=Console(stderr=True)
        ):
            result = asyncio.run(services.pipeline.run(ChatRequest(query["text"])))
            answered.append(not result.abstained)
            for citation in cited(result):
                _, version = services.corpora.version_in(citation.doc_id, citation.snapshot)
                text = services.corpora.document(citation.doc_id, version).parsed.text
                valid.append(citation.quote == text[citation.start : citation.end])
            covers.append(any(c.uri in bench.qrels.get(query["id"], {}) for c in cited(result)))
            if name == "xquad_en":
                holds.append(any(words(answer) in words(result.answer) for answer in query["answers"]))
        table.add_row(
            name, str(len(answered)), interval(answered), f"{sum(valid)} of {len(valid)}", interval(covers),
            interval(holds) if holds else "–",
        )  # fmt: skip
        if name == "clapnq":
            report_abstention(bench, services, given.limit)
        services.close()
    Console(width=160).print(table)


def report_abstention(bench, services, limit: int) -> None:
    scores: dict[bool, list[float]] = {True: [], False: []}
    queries = [q for q in bench.queries if not is_tuning(bench, q)]
    for query in track(queries[:: max(1, len(queries) // (2 * limit))], "abstention", console=Console(stderr=True)):
        result = asyncio.run(services.pipeline.run(ChatRequest(query["text"])))
        scores[bool(query["answerable"])].append(result.confidence or 0.0)
    auc = mannwhitneyu(scores[True], scores[False]).statistic / (len(scores[True]) * len(scores[False]))
    threshold = services.pipeline.decider.least("default")
    print(
        f"clapnq, reporting half: answerable against unanswerable AUC {auc:.3f}; at the shipped threshold {threshold}"
    )
    print("  answered though answerable  ", interval(s >= threshold for s in scores[True]))
    print("  answered though unanswerable", interval(s >= threshold for s in scores[False]))


if __name__ == "__main__":
    main()
