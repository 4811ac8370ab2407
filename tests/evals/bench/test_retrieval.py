"""The bench kind `retrieval`, end to end over a tiny set."""

import asyncio
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.bench.corpus import RowsAsFiles, corpus_name, ingest_rows
from evals.bench.read import DocumentRow
from evals.bench.results import BenchRequest
from evals.bench.retrieval import deep_search, documents, fused_by_rank, retrieval
from evals.errors import BenchError
from retrieval.types import Passage
from tests.conftest import Build
from tests.evals.bench.sets import DOCUMENTS, jsonl, tsv, write_bench


def passage(uri: str, start: int) -> Passage:
    return Passage(uri, uri, "", "s", start, start + 1, "x", None, None, 1.0)


async def test_scores_of_a_tiny_set(build_services: Build, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    path = write_bench(tmp_path / "Tiny Set")
    result = await retrieval(build_services(), BenchRequest(path), lambda *step: steps.append(step))
    assert result.n == 2  # q3 has no judgement
    assert [result.metrics[name].value for name in ("recall@5", "mrr@10")] == [1.0, 1.0]
    # q1 finds the document of grade 2 first and that of grade 1 third; q2 finds its one first
    expected = ((2 + 1 / math.log2(4)) / (2 + 1 / math.log2(3)) + 1) / 2
    assert result.metrics["ndcg@10"].value == pytest.approx(expected)
    assert result.baselines.keys() == {"fusion", "bm25", "hashing", "rrf"}
    assert result.metrics["docs_per_s"].value > 0 and result.metrics["docs_per_s"].low is None
    assert 0 < result.metrics["query_p50_ms"].value <= result.metrics["query_p95_ms"].value
    assert result.by_source.keys() == {"a", "b"} and result.by_source["a"]["ndcg@5"].n == 1
    assert ("queries", 2, 2) in steps and result.about["documents"] == 3
    keys = {"kind", "path", "n", "metrics", "baselines", "by_source"}
    assert keys <= result.as_json().keys()
    assert result.as_json()["metrics"]["mrr@10"] == {"value": 1.0, "low": None, "high": None, "n": 2}


async def test_bm25_alone_misses_what_shares_no_word(build_services: Build, tmp_path: Path) -> None:
    queries = '{"id": "q1", "text": "canaries"}\n{"id": "q2", "text": "zzzz"}\n'
    path = write_bench(tmp_path / "tiny", queries=queries, qrels=tsv([("q1", "canary", 1), ("q2", "drift", 1)]))
    result = await retrieval(build_services(), BenchRequest(path))
    assert result.baselines["bm25"]["recall@100"].value == 0.5
    assert result.baselines["hashing"]["recall@100"].value == 1.0


async def test_limit_takes_the_same_queries_each_time(build_services: Build, tmp_path: Path) -> None:
    path = write_bench(tmp_path / "tiny")
    request = BenchRequest(path, limit=1, seed=3)
    first, second = [await retrieval(build_services(), request) for _ in range(2)]
    assert first.n == 1 and first.by_source.keys() == second.by_source.keys()


async def test_a_kept_home_says_no_speed_and_embeds_nothing_again(build_services: Build, tmp_path: Path) -> None:
    path = write_bench(tmp_path / "tiny")
    await retrieval(build_services(), BenchRequest(path))
    services = build_services()
    result = await retrieval(services, BenchRequest(path, fresh=False))
    assert result.metrics["docs_per_s"].value is None
    assert services.retriever.embedders[0].embedded == []


async def test_without_a_relevant_document_there_is_nothing_to_score(build_services: Build, tmp_path: Path) -> None:
    path = write_bench(tmp_path / "tiny", qrels=tsv([("q1", "canary", 0)]))
    with pytest.raises(BenchError, match="calls no document relevant"):
        await retrieval(build_services(), BenchRequest(path))


async def test_documents_without_text_are_counted_and_never_found(build_services: Build, tmp_path: Path) -> None:
    path = write_bench(tmp_path / "tiny", corpus=jsonl([{**row, "text": " "} for row in DOCUMENTS]))
    result = await retrieval(build_services(), BenchRequest(path))
    assert result.about["empty_documents"] == 3 and result.metrics["recall@100"].value == 0.0


async def test_deep_search_keeps_the_shipped_head_and_reaches_the_depth(build_services: Build) -> None:
    services = build_services()
    rows = [DocumentRow(id=str(i), text=f"Word{i} traffic. " * (i % 7 + 1) + "More of it here.") for i in range(60)]
    chunks = ingest_rows(services, rows, "deep").chunks
    narrow = replace(services.retriever, candidates=5)
    head = (await narrow.search("traffic word3", "deep", 5)).passages
    found, asked = await deep_search(narrow, "traffic word3", "deep", chunks, depth=40)
    assert tuple(found[:5]) == head and asked > 5
    assert len(documents(found)) >= 40
    assert len({(p.doc_id, p.start) for p in found}) == len(found)
    everything, _ = await deep_search(narrow, "traffic word3", "deep", chunks, depth=1_000)
    assert len(documents(everything)) == 60


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), unique=True))
def test_a_document_ranks_where_its_best_passage_does(keys: list[tuple[str, int]]) -> None:
    ranked = documents([passage(*key) for key in keys])
    assert ranked == sorted({uri for uri, _ in keys}, key=[uri for uri, _ in keys].index)


def test_rrf_works_on_passages() -> None:
    a, b, c = passage("a", 0), passage("a", 5), passage("c", 0)
    assert fused_by_rank([[a, b], [c, b]]) == [b, a, c]


def test_an_id_that_looks_like_a_path_opens_no_file(build_services: Build, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret", encoding="utf-8")
    rows = [DocumentRow(id=str(secret), text="A row of its own.")]
    services = build_services()
    for _ in range(2):  # the second ingest would hash a known file
        report = ingest_rows(services, rows, "default")
        assert (report.documents, report.removed, report.unchanged) == (1, 0, 0)
    assert all(not file.path.exists() for file in RowsAsFiles(rows).files())
    assert asyncio.run(services.retriever.search("row", "default", 1)).passages[0].uri == str(secret)


def test_a_row_that_is_gone_leaves_the_corpus(build_services: Build) -> None:
    services = build_services()
    rows = [DocumentRow(id=name, text=f"Row {name} of the set.") for name in "abc"]
    assert ingest_rows(services, rows, "default").documents == 3
    assert ingest_rows(services, rows[1:], "default").documents == 2


@pytest.mark.parametrize(
    ("folder", "name"), [("xquad_en", "bench-xquad-en"), ("ÄÖ", "bench-set"), ("A b", "bench-a-b")]
)
def test_corpus_names_are_such_as_a_corpus_may_have(folder: str, name: str, tmp_path: Path) -> None:
    assert corpus_name(tmp_path / folder) == name
