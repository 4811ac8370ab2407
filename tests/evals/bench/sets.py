"""Tiny bench sets on disk."""

import gzip
import json
from pathlib import Path
from typing import Any

DOCUMENTS = [
    {"id": "canary", "title": "Canary", "text": "A canary release sends 1 percent of the traffic. Roll back fast."},
    {"id": "drift", "title": "Drift", "text": "Drift is watched with a stability index. An index above 0.25 alerts."},
    {"id": "/etc/passwd", "title": "Paths", "text": "An id that looks like a path names no file. It is a name only."},
]
QUERIES = [
    {
        "id": "q1",
        "text": "How much traffic does a canary release get?",
        "answers": ["1 percent"],
        "answerable": True,
        "gold_sentences": ["A canary release sends 1 percent of the traffic."],
        "source": "a",
    },
    {"id": "q2", "text": "Which index watches drift?", "answers": ["a stability index"], "source": "b"},
    {"id": "q3", "text": "Who won the football cup?", "answerable": False, "source": "b"},
]
QRELS = [("q1", "canary", 2), ("q1", "drift", 1), ("q2", "drift", 1), ("q2", "canary", 0)]


def jsonl(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def tsv(rows: list[tuple[Any, ...]]) -> str:
    return "".join("\t".join(map(str, row)) + "\n" for row in [("query-id", "corpus-id", "score"), *rows])


def write_bench(
    folder: Path,
    corpus: str | None = jsonl(DOCUMENTS),
    queries: str | None = jsonl(QUERIES),
    qrels: str | None = tsv(QRELS),
) -> Path:
    """Write a bench set; None leaves a file out. The corpus is compressed, the queries are not."""
    folder.mkdir(parents=True, exist_ok=True)
    if corpus is not None:
        (folder / "corpus.jsonl.gz").write_bytes(gzip.compress(corpus.encode()))
    if queries is not None:
        (folder / "queries.jsonl").write_text(queries, encoding="utf-8")
    if qrels is not None:
        (folder / "qrels.tsv").write_text(qrels, encoding="utf-8")
    return folder
