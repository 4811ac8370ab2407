"""The public bench sets, read in place: `ASSAY_BENCH` or ../shared/bench. Never copied into the project."""

import os
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from app.bootstrap import Services, build
from app.settings import load_settings
from evals.bench.corpus import ingest_rows
from evals.bench.read import DocumentRow, read_retrieval


@dataclass(frozen=True)
class RetrievalSet:
    name: str
    corpus: list[dict[str, Any]]
    queries: list[dict[str, Any]]
    qrels: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def bench_root() -> Path:
    return Path(os.environ.get("ASSAY_BENCH", "../shared/bench"))


def retrieval_set(name: str) -> RetrievalSet:
    read = read_retrieval(bench_root() / "retrieval" / name)
    corpus, queries = ([row.model_dump() for row in rows] for rows in (read.corpus, read.queries))
    return RetrievalSet(name, corpus, queries, read.qrels)


def services_over(rows: list[dict[str, Any]], home: Path, **overrides: Any) -> Services:
    """Ingest bench rows into `home` (kept between runs) through the real ingest, and join the parts over it."""
    services = build(load_settings(home=home, corpus="default"), **overrides)
    ingest_rows(services, [DocumentRow.model_validate(row) for row in rows], "default")
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
