"""What bfloat16 does to ranking and speed, against float32, on anthropic_docs and xquad_en passages.

python benchmarks/bench_precision.py [--queries 200]
"""

import argparse
import time

import numpy as np
from bench import retrieval_set

from retrieval.embedders.minilm import MiniLM


def ndcg10(ranked: list[str], relevant: dict[str, float]) -> float:
    """nDCG at 10 with linear gains (Järvelin and Kekäläinen 2002)."""
    gains = [relevant.get(doc, 0.0) for doc in ranked[:10]]
    ideal = sorted(relevant.values(), reverse=True)[:10]
    discount = 1 / np.log2(np.arange(2, 12))
    return float(np.dot(gains, discount[: len(gains)]) / np.dot(ideal, discount[: len(ideal)]))


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--queries", type=int, default=200)
    limit = arguments.parse_args().queries
    for name in ("anthropic_docs", "xquad_en"):
        bench = retrieval_set(name)
        queries = [q for q in bench.queries if q["id"] in bench.qrels][:limit]
        texts = [f"{row['title']}\n{row['text']}" for row in bench.corpus]
        tops: dict[str, list[list[str]]] = {}
        for dtype in ("float32", "bfloat16"):
            model = MiniLM(dtype)
            model.embed_query("warm up")
            began = time.perf_counter()
            passages = model.embed_passages(texts)
            seconds = time.perf_counter() - began
            tokens = sum(min(model.max_tokens, model.count_tokens(text)) for text in texts)
            scores = model.embed_passages([q["text"] for q in queries]) @ passages.T
            tops[dtype] = [[bench.corpus[i]["id"] for i in np.argsort(-row)[:10]] for row in scores]
            mean = np.mean([ndcg10(top, bench.qrels[q["id"]]) for top, q in zip(tops[dtype], queries, strict=True)])
            print(f"{name} {dtype}: nDCG@10 {mean:.4f}, {tokens / seconds:,.0f} tokens/s, n={len(queries)}")
        same = np.mean([a[0] == b[0] for a, b in zip(tops["float32"], tops["bfloat16"], strict=True)])
        print(f"{name}: same first passage for {same:.1%} of {len(queries)} queries")


if __name__ == "__main__":
    main()
