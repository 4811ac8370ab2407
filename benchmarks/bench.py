"""The public bench sets, read in place: `ASSAY_BENCH` or ../shared/bench. Never copied into the project."""

import csv
import gzip
import hashlib
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from app.bootstrap import Services, build
from app.settings import load_settings
from retrieval.canonical import CanonicalText
from retrieval.errors import ParseFailure
from retrieval.files import SourceFile
from retrieval.types import ParsedFile, ReasonCode


@dataclass(frozen=True)
class RetrievalSet:
    name: str
    corpus: list[dict[str, Any]]
    queries: list[dict[str, Any]]
    qrels: dict[str, dict[str, float]] = field(default_factory=dict)


def bench_root() -> Path:
    return Path(os.environ.get("ASSAY_BENCH", "../shared/bench"))


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def retrieval_set(name: str) -> RetrievalSet:
    folder = bench_root() / "retrieval" / name
    qrels: dict[str, dict[str, float]] = {}
    with (folder / "qrels.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            qrels.setdefault(row["query-id"], {})[row["corpus-id"]] = float(row["score"])
    return RetrievalSet(
        name, list(read_jsonl(folder / "corpus.jsonl.gz")), list(read_jsonl(folder / "queries.jsonl.gz")), qrels
    )


class RowsAsFiles:
    """Hands bench rows to an ingest as if they had been parsed from files."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows = {str(row["id"]): row for row in rows}

    def __enter__(self) -> "RowsAsFiles":
        return self

    def __exit__(self, *_: object) -> None: ...

    def files(self) -> list[SourceFile]:
        return [SourceFile(uri, Path("/nonexistent") / uri, "bench") for uri in self._rows]

    def parse_all(self, files: Iterable[tuple[str, Path]]) -> Iterator[tuple[str, ParsedFile | ParseFailure]]:
        when = datetime(2026, 1, 1, tzinfo=UTC)
        for uri, _ in files:
            row = self._rows[uri]
            text = CanonicalText()
            text.block(row["text"])
            parsed = text.build("text/plain", row.get("title") or "")
            if parsed.text:
                yield uri, ParsedFile(hashlib.sha256(row["text"].encode()).hexdigest(), when, parsed)
            else:
                yield uri, ParseFailure(ReasonCode.EMPTY, "no text")


def services_over(rows: list[dict[str, Any]], home: Path, **overrides: Any) -> Services:
    """Ingest bench rows into `home` (kept between runs) through the real ingest, and join the parts over it."""
    services = build(load_settings(home=home, corpus="default"), **overrides)
    parser = RowsAsFiles(rows)
    replace(services.ingestor, open_parser=lambda: parser).ingest(parser.files(), "default", prune=["bench"])
    return services


def services_of(name: str, home: Path) -> tuple[RetrievalSet, Services]:
    """A bench set, ingested."""
    bench = retrieval_set(name)
    return bench, services_over(bench.corpus, home / name)


def is_tuning(bench: RetrievalSet, query: dict[str, Any]) -> bool:
    """Whether a query belongs to the half on which weights are fitted; the other half reports.

    Queries of one xquad article stay together (its id is the part before the dash): halves share no document.
    """
    gold = sorted(bench.qrels.get(query["id"], {}))
    key = gold[0].split("-")[0] if bench.name.startswith("xquad") and gold else query["id"]
    return zlib.crc32(key.encode()) % 2 == 0


def words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def interval(hits: Iterable[float]) -> str:
    """A mean of zeros and ones with its 95 % Wilson interval."""
    values = list(hits)
    test = binomtest(round(sum(values)), len(values)).proportion_ci(method="wilson")
    return f"{sum(values) / len(values):.3f} [{test.low:.3f}, {test.high:.3f}], n={len(values)}"
