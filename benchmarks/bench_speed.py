"""Speed and memory: ingest against raw embedding, search and ask at 10,000 chunks, start-up.

python benchmarks/bench_speed.py [--rows 1200] [--queries 100] [--home .bench]
"""

import argparse
import asyncio
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
from bench import retrieval_set, services_over
from rich.console import Console

from app.bootstrap import Services
from app.types import ChatRequest
from retrieval.embedders.minilm import MiniLM

out = Console(width=140, highlight=False)


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def percentiles_ms(seconds: list[float]) -> str:
    p50, p95 = np.percentile(np.array(seconds) * 1000, [50, 95])
    return f"p50 {p50:.1f} ms, p95 {p95:.1f} ms, n={len(seconds)}"


def resident_mb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) // 1024


def ingest_ratio(rows: list[dict], home: Path, repeats: int = 3) -> None:
    """The same chunks embedded by one plain call and by a whole ingest (chunk, embed, store, index, publish)."""
    embedder = MiniLM()
    embedder.embed_query("warm up")
    ratios = []
    for number in range(repeats):
        folder = home / f"ratio-{number}"
        shutil.rmtree(folder, ignore_errors=True)
        services: list[Services] = []
        whole = timed(lambda f=folder, s=services: s.append(services_over(rows, f, embedder=embedder)))
        texts = indexed_texts(services[0])
        raw = timed(lambda t=texts: embedder.embed_passages(t))
        ratios.append(raw / whole)
        out.print(f"  {len(texts)} chunks: ingest {len(texts) / whole:.1f}/s, raw embedding {len(texts) / raw:.1f}/s")
        services[0].close()
        shutil.rmtree(folder)
    out.print(
        f"ingest rate / raw embedding rate: median {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f}), {repeats} runs in turn"
    )


def indexed_texts(services: Services) -> list[str]:
    snapshot = services.corpora.active("default")
    chunker = services.ingestor.publisher.chunker
    return [
        chunk.indexed_text
        for member in services.corpora.members("default", snapshot)
        for chunk in chunker.chunk(services.corpora.document(member.doc_id, member.version))
    ]


def at_ten_thousand(home: Path, queries_wanted: int) -> None:
    bench = retrieval_set("mtrag_cloud")
    services = services_over(bench.corpus[:TEN_THOUSAND_ROWS], home / "tenk")
    snapshot = services.corpora.snapshot("default", services.corpora.active("default"))
    asyncio.run(services.warm_up())
    queries = [query["rewrite"] for query in bench.queries][:queries_wanted]
    for query in queries[:5]:
        asyncio.run(services.pipeline.run(ChatRequest(query)))
    out.print(f"{snapshot.chunks} chunks of {snapshot.documents} documents (mtrag_cloud)")
    embed, search, ask = [], [], []
    for query in queries:  # in turn, so that all three see the same machine
        embed.append(timed(lambda q=query: [e.embed_query(q) for e in services.retriever.embedders]))
        search.append(timed(lambda q=query: asyncio.run(services.retriever.search(q, "default", 10))))
        ask.append(timed(lambda q=query: asyncio.run(services.pipeline.run(ChatRequest(q)))))
    out.print(f"  query embedding alone  {percentiles_ms(embed)}")
    out.print(f"  search                 {percentiles_ms(search)}")
    out.print(f"  ask, end to end        {percentiles_ms(ask)}")
    out.print(f"  search / embedding, p50: {np.median(search) / np.median(embed):.2f}")
    out.print(f"  resident memory after {len(queries)} turns: {resident_mb(os.getpid())} MB")
    services.close()


TEN_THOUSAND_ROWS = 3_440


def start_up(home: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "ASSAY_HOME": str(home / "tenk"), "ASSAY_PORT": str(port)}
    began = time.perf_counter()
    server = subprocess.Popen([sys.executable, "-m", "app.cli", "serve"], env=environment, stdout=subprocess.DEVNULL)
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2)
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.05)
        out.print(
            f"start-up to ready: {time.perf_counter() - began:.1f} s; resident memory {resident_mb(server.pid)} MB"
        )
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", type=int, default=1200)
    arguments.add_argument("--queries", type=int, default=100)
    arguments.add_argument("--home", type=Path, default=Path(".bench"))
    given = arguments.parse_args()
    out.print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    ingest_ratio(retrieval_set("mtrag_clapnq").corpus[: given.rows], given.home)
    at_ten_thousand(given.home, given.queries)
    start_up(given.home)


if __name__ == "__main__":
    main()
