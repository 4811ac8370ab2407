"""What is Postgres' own among the index stores: connections, failures, the graph, and damage."""

import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import psycopg
import pytest
from pydantic import SecretStr

import retrieval.index.postgres as module
from retrieval.config import IndexSettings
from retrieval.errors import IndexMissing, IndexOutdated, StoreUnavailable, Unsupported
from retrieval.index.postgres import PostgresIndexes
from retrieval.index.postgres_connections import Connections
from retrieval.index.postgres_queries import admits, nearest
from retrieval.index.postgres_tables import Tables
from retrieval.types import OPEN, SHARED, Access, Labels, Scope
from tests.retrieval.index.samples import DIMENSIONS, Doc, contents, dense_scores, some_docs, unit
from tests.retrieval.index.test_contract import agree, put

ROOT = Path(__file__).parents[3]
PASSWORD = "s3cr%40t-horse"


def settings(url: str, **given: object) -> IndexSettings:
    return IndexSettings.model_validate({"backend": "postgres", "url": url, **given})


@pytest.fixture
def store(postgres_url: str) -> Iterator[PostgresIndexes]:
    opened = PostgresIndexes(settings(postgres_url))
    yield opened
    opened.close()


@pytest.fixture
def direct(postgres_url: str) -> Iterator[psycopg.Connection]:
    """A connection of somebody else's."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


def tables_left(direct: psycopg.Connection) -> int:
    row = direct.execute(
        "SELECT count(*) FROM pg_tables WHERE schemaname = 'assay_index' AND tablename <> 'indexes'"
    ).fetchone()
    return int(row[0]) if row else -1


# --- the graph ---


def test_a_graph_is_asked_for_wide_scopes_and_each_row_compared_for_narrow_ones(
    postgres_url: str, direct: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EXACT_ROWS", 50)
    store = PostgresIndexes(settings(postgres_url, graph_rows=1_000))
    common = [Doc(Labels("acme"), [["x"]] * 50) for _ in range(40)]
    rare = [Doc(Labels("acme", ("board",), {"rare": i < 3}), [["x"]] * 10) for i in range(10)]
    held = contents([*common, *rare], dimensions={"dense": 16})
    index, rng = put(store, held), np.random.default_rng(2)
    wide, middle, narrow = (
        Scope(Access("acme")),
        Scope(Access("acme", frozenset({"board"})), {"rare": False}),  # 70 of 2,100 rows: the graph has to read on
        Scope(Access("acme", frozenset({"board"})), {"rare": True}),
    )
    for scope, by_graph in ((wide, True), (middle, True), (narrow, False)):
        query = unit(rng, 1, 16)[0]
        found, exact = index.nearest("dense", query, 10, scope), dense_scores(held, "dense", query, scope)
        best = sorted(exact, key=lambda row: (-exact[row], row))[:10]
        assert len(found.rows) == 10 and set(found.rows.tolist()) <= exact.keys()
        assert len(set(found.rows.tolist()) & set(best)) >= (9 if by_graph else 10)
        assert ("hnsw" in scan(direct, query, scope)) == by_graph
    store.close()


def scan(direct: psycopg.Connection, query: np.ndarray, scope: Scope) -> str:
    """The parts of the plan that were carried out."""
    from pgvector.psycopg import register_vector

    register_vector(direct)
    statement = nearest(Tables.of("default", "one"), 0, graph=True).as_string(direct)
    values = {**admits(scope), "k": 10, "exact": 50, "query": query}
    direct.execute("SET hnsw.iterative_scan = strict_order; SET enable_seqscan = off")
    lines = [str(row[0]) for row in direct.execute(f"EXPLAIN ANALYZE {statement}", values)]
    return "hnsw" if any("vector_idx" in line and "never executed" not in line for line in lines) else ""


# --- connections ---


def test_a_lost_connection_is_one_clear_error_and_the_next_query_works(
    store: PostgresIndexes, direct: psycopg.Connection
) -> None:
    held = contents(some_docs(1, 10, [Labels()]))
    index = put(store, held)
    direct.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'assay'")
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        index.matching({"word0": 1.0}, 5, OPEN)
    assert len(index.matching({"word0": 1.0}, 5, OPEN).rows)


def test_a_connection_that_was_idle_is_tried_first(
    store: PostgresIndexes, direct: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = put(store, contents(some_docs(1, 10, [Labels()])))
    direct.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'assay'")
    monkeypatch.setattr("retrieval.index.postgres_connections.CHECK_AFTER_S", 0.0)
    assert len(index.matching({"word0": 1.0}, 5, OPEN).rows)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{PASSWORD}@127.0.0.1:1/x",
        f"postgresql://me:{PASSWORD}%@127.0.0.1/x",
        f"postgresql://me:{PASSWORD}@127.0.0.1:1/x?nonsense={PASSWORD}",
        f"mysql://me:{PASSWORD}@127.0.0.1/x",
        f"postgresql://me:{PASSWORD}@[::1/x",
    ],
)
def test_no_error_holds_the_password(url: str) -> None:
    asked = settings(url)
    with pytest.raises(StoreUnavailable) as told:
        PostgresIndexes(asked).holds("default", "one")
    for text in (str(told.value), repr(asked), repr(told.value.__cause__)):
        assert PASSWORD not in text and "s3cr@t" not in text and "horse" not in text


def test_a_database_without_url_says_which_setting(store: PostgresIndexes) -> None:
    with pytest.raises(StoreUnavailable, match="database_url"):
        PostgresIndexes(IndexSettings(backend="postgres"))


def test_a_slow_query_is_stopped(postgres_url: str) -> None:
    connections = Connections(SecretStr(postgres_url), size=1, timeout_s=0.2)
    started = time.monotonic()
    with pytest.raises(StoreUnavailable, match="timeout_s"), connections.borrow() as connection:
        connection.execute("SELECT pg_sleep(30)")
    assert time.monotonic() - started < 10
    with connections.borrow() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    connections.close()


def test_connections_are_bounded_and_used_again(postgres_url: str, direct: psycopg.Connection) -> None:
    connections = Connections(SecretStr(postgres_url), size=2, timeout_s=0.2)
    refused = pytest.raises(StoreUnavailable, match="in use")
    for _ in range(5):
        with connections.borrow(), connections.borrow(), refused, connections.borrow():
            pass
    row = direct.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'assay'").fetchone()
    assert row == (2,)
    connections.close()


# --- writes ---


def test_several_may_write_the_same_index_into_a_new_database_at_once(postgres_url: str) -> None:
    held = contents(some_docs(1, 30, [Labels(), Labels("acme")]))
    stores = [PostgresIndexes(settings(postgres_url)) for _ in range(4)]
    start = threading.Barrier(4)

    def write(store: PostgresIndexes) -> None:
        start.wait()
        store.write("default", "one", held)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, stores))
    for store in stores:
        assert store.holds("default", "one") and store.faults("default", "one") == []
        store.close()


def test_a_writer_that_is_killed_leaves_nothing(
    store: PostgresIndexes, direct: psycopg.Connection, postgres_url: str
) -> None:
    assert not store.holds("default", "one")
    program = """
        import os, signal
        from dataclasses import replace
        from tests.retrieval.index.samples import contents, some_docs
        from tests.retrieval.index.test_postgres import PostgresIndexes, settings
        from retrieval.types import Labels

        class Killing(list):
            def __getitem__(self, at):
                os.kill(os.getpid(), signal.SIGKILL)

        held = contents(some_docs(1, 30, [Labels()]))
        PostgresIndexes(settings(URL)).write("default", "one", replace(held, words=Killing(held.words)))
    """
    code = f"URL = {postgres_url!r}\n{textwrap.dedent(program)}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, check=False)
    assert done.returncode == -9
    assert not store.holds("default", "one") and tables_left(direct) == 0
    put(store, contents(some_docs(1, 30, [Labels()])))
    assert tables_left(direct) == 6


def test_an_index_that_is_removed_while_it_is_open_says_so_and_may_come_back(
    store: PostgresIndexes, direct: psycopg.Connection
) -> None:
    held = contents(some_docs(1, 10, [Labels()]))
    index = put(store, held)
    store.keep_only("default", [])
    assert tables_left(direct) == 0
    for ask in (lambda: index.matching({"word0": 1.0}, 5, OPEN), lambda: index.places([0])):
        with pytest.raises(IndexMissing):
            ask()
    put(store, held)
    assert len(index.matching({"word0": 1.0}, 5, OPEN).rows)


def test_an_index_of_another_format_is_none_and_is_written_anew(
    store: PostgresIndexes, direct: psycopg.Connection
) -> None:
    held = contents(some_docs(1, 10, [Labels()]))
    put(store, held)
    direct.execute("UPDATE assay_index.indexes SET format = 0")
    assert not store.holds("default", "one") and store.faults("default", "one")
    with pytest.raises(IndexOutdated):
        store.open("default", "one")
    put(store, held)
    assert store.holds("default", "one") and store.faults("default", "one") == []


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("UPDATE assay_index.labels_{} SET tenant = 'other' WHERE kind = 0", "labels"),
        ("UPDATE assay_index.labels_{} SET groups = '{{}}' WHERE kind = 1", "labels"),
        ("UPDATE assay_index.tenants_{} SET mean_words = mean_words * 2", "tenants"),
        ("UPDATE assay_index.chunks_{} SET start = start + 1 WHERE row = 3", "chunks"),
        ("DELETE FROM assay_index.words_{} WHERE cardinality(rows) = 1", "words"),
        ("UPDATE assay_index.words_{} SET kinds[1] = 0", "words"),
        ("UPDATE assay_index.vectors0_{} SET vector = -1 * 1 * vector::real[] WHERE row = 3", "vectors0"),
        ("UPDATE assay_index.vectors1_{} SET kind = 0", "vectors1"),
        ("DROP TABLE assay_index.vectors1_{}", "vectors1"),
    ],
)
def test_damage_is_found_and_named(
    store: PostgresIndexes, direct: psycopg.Connection, statement: str, table: str
) -> None:
    put(store, contents(some_docs(1, 20, [Labels(), Labels("acme", ("staff",))])))
    statement = statement.replace("-1 * 1 * vector::real[]", "l2_normalize(vector + vector) * vector")
    direct.execute(statement.format(Tables.of("default", "one").key))
    faults = store.faults("default", "one")
    assert len(faults) == 1 and f"table {table} of the index" in faults[0]


# --- what the tables hold ---


def test_nul_characters_in_labels_stay_what_they_are(store: PostgresIndexes) -> None:
    tenants = ["a\0b", "a\\0b", "ab", "a\\\\0b"]
    index = put(store, contents([Doc(Labels(tenant, (tenant,), {tenant: tenant}), [["x\0"]]) for tenant in tenants]))
    for tenant in tenants:
        found = index.matching({"x\0": 1.0}, 9, Scope(Access(tenant, frozenset({tenant})), {tenant: tenant}))
        assert len(found.rows) == 1


def test_what_cannot_be_held_is_said_and_nothing_is_left(store: PostgresIndexes, direct: psycopg.Connection) -> None:
    held = contents([Doc(Labels(), [["x"]])])
    with pytest.raises(Unsupported, match="finite"):
        store.write("default", "one", contents([Doc(Labels(SHARED, (), {"price": float("inf")}), [["x"]])]))
    with pytest.raises(Unsupported, match="dimensions"):
        store.write("default", "one", replace(held, vectors={"huge": np.ones((1, 16_001), np.float32)}))
    assert not store.holds("default", "one") and tables_left(direct) == 0


def test_large_vectors_are_held(store: PostgresIndexes) -> None:
    held = contents([Doc(Labels(), [["x"]] * 3)], dimensions={"large": 4096, "edge": 2000})
    index = put(store, held)
    for name, own in held.vectors.items():
        agree(index.nearest(name, own[1], 3, OPEN), dense_scores(held, name, own[1], OPEN), 3)


def test_searches_and_removals_do_not_stand_in_each_other_s_way(postgres_url: str) -> None:
    held = contents(some_docs(1, 60, [Labels()]))
    query = unit(np.random.default_rng(1), 1, DIMENSIONS["large"])[0]
    until, counts = time.monotonic() + 3, {"found": 0, "gone": 0}

    def search() -> None:
        store = PostgresIndexes(settings(postgres_url))
        while time.monotonic() < until:
            try:
                index = store.open("default", "one")
                assert len(index.nearest("large", query, 5, OPEN).rows) == 5
                assert len(index.matching({"word0": 1.0}, 5, OPEN).rows) == 5
                counts["found"] += 1
            except IndexMissing:
                counts["gone"] += 1
        store.close()

    def rewrite() -> None:
        store = PostgresIndexes(settings(postgres_url))
        while time.monotonic() < until:
            store.keep_only("default", [])
            store.write("default", "one", held)
            time.sleep(0.05)
        store.close()

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(work) for work in (search, search, rewrite, rewrite)]:
            done.result()
    assert counts["found"] and counts["gone"]
