"""Kinds of vector indexes: exact where they say so, close where they do not, whatever a filter admits."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.embedders.port import Vectors
from retrieval.index.admission import Allowed
from retrieval.index.faiss import FILE, FaissIndex, Kind

ROWS, DIMENSIONS = 6_000, 32
KINDS: list[Kind] = ["flat", "ivf", "hnsw"]


def unit(vectors: NDArray[np.float32]) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


@cache
def clusters() -> Vectors:
    """Vectors around 300 centres, every tenth one there twice."""
    random = np.random.default_rng(7)
    centres = random.standard_normal((300, DIMENSIONS), dtype=np.float32)
    noise = random.standard_normal((ROWS, DIMENSIONS), dtype=np.float32)
    vectors = unit(centres[random.integers(0, 300, ROWS)] + 0.6 * noise)
    vectors[::10] = vectors[5::10]
    return vectors


@cache
def index_of(kind: Kind) -> FaissIndex:
    with TemporaryDirectory() as folder:
        FaissIndex.write(Path(folder), clusters(), kind)
        found = FaissIndex.open(Path(folder))
    assert found.kind == kind
    return found


def exact(query: Vectors, k: int, mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    scores = np.asarray(clusters() @ query)[mask]
    return np.sort(scores)[::-1][:k]


def some(share: float, seed: int) -> NDArray[np.bool_]:
    """A filter that admits this share of the rows, at least one."""
    random = np.random.default_rng(seed)
    mask = np.zeros(ROWS, dtype=np.bool_)
    mask[random.permutation(ROWS)[: max(1, round(share * ROWS))]] = True
    return mask


def query(seed: int) -> Vectors:
    random = np.random.default_rng(seed)
    near = clusters()[random.integers(0, ROWS)] + 0.1 * random.standard_normal(DIMENSIONS).astype(np.float32)
    return unit(near)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30), st.floats(0, 1))
def test_a_flat_index_finds_what_a_sort_finds(seed: int, k: int, share: float) -> None:
    mask = some(share, seed)
    hits = index_of("flat").search(query(seed), k, Allowed(mask))
    wanted = exact(query(seed), k, mask)
    assert len(hits.rows) == len(wanted) and mask[hits.rows].all()
    np.testing.assert_allclose(hits.scores, wanted, atol=1e-5)


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30), st.floats(0, 1))
def test_a_quantised_index_finds_as_many_as_there_are_and_scores_them_truly(
    kind: Kind, seed: int, k: int, share: float
) -> None:
    mask = some(share, seed)
    hits = index_of(kind).search(query(seed), k, Allowed(mask))
    assert len(set(hits.rows.tolist())) == min(k, int(mask.sum())) and mask[hits.rows].all()
    np.testing.assert_allclose(hits.scores, clusters()[hits.rows] @ query(seed), atol=1e-3)
    assert (np.diff(hits.scores) <= 0).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [1, 0.5, 0.35, 0.1, 0.01, 0.001, 0.0001])
def test_no_filter_costs_recall(kind: Kind, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.index.faiss.READ_DIRECTLY", 20)  # the filters must go through the index
    found = 0.0
    for seed in range(60):
        mask = some(share, seed)
        hits, wanted = index_of(kind).search(query(seed), 10, Allowed(mask)), exact(query(seed), 10, mask)
        found += np.mean(hits.scores >= wanted[-1] - 1e-3) * len(hits.rows) / len(wanted)
    assert found / 60 >= (1 if kind == "flat" else 0.98)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.9, 0.5, 0.1])
def test_no_filter_costs_recall_where_it_admits_only_what_is_far(kind: Kind, share: float) -> None:
    found = 0.0
    for seed in range(60):
        scores = np.asarray(clusters() @ query(seed))
        mask = scores < np.quantile(scores, share)
        hits, wanted = index_of(kind).search(query(seed), 10, Allowed(mask)), exact(query(seed), 10, mask)
        found += np.mean(hits.scores >= wanted[-1] - 1e-3)
    assert found / 60 >= (1 if kind == "flat" else 0.98)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("near", [0.08, 0.2, 0.5])
def test_no_filter_costs_recall_where_it_admits_little_of_what_is_near(kind: Kind, near: float) -> None:
    found = 0.0
    for seed in range(60):
        scores = np.asarray(clusters() @ query(seed))
        mask = (scores < np.quantile(scores, 0.95)) | ((scores > np.sort(scores)[-60]) & some(near, seed))
        hits, wanted = index_of(kind).search(query(seed), 10, Allowed(mask)), exact(query(seed), 10, mask)
        found += np.mean(hits.scores >= wanted[-1] - 1e-3)
    assert found / 60 >= (1 if kind == "flat" else 0.98)


@pytest.mark.parametrize("kind", KINDS)
def test_every_vector_finds_itself(kind: Kind) -> None:
    for share in (1, 0.3):
        mask = some(share, 1)
        for row in np.flatnonzero(mask)[::5]:
            assert index_of(kind).search(clusters()[row], 1, Allowed(mask)).scores[0] > 0.999


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_vectors_make_the_same_bytes(kind: Kind, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        FaissIndex.write(tmp_path / name, clusters(), kind)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [1, 399, 401])
def test_few_rows_are_as_good_as_many(kind: Kind, rows: int, tmp_path: Path) -> None:
    FaissIndex.write(tmp_path, clusters()[:rows], kind)
    index = FaissIndex.open(tmp_path)
    assert index.kind == (kind if rows > 400 else "flat")
    assert len(index.search(query(1), 10, Allowed(np.ones(rows, dtype=np.bool_))).rows) == min(10, rows)
    assert len(index.search(query(1), 10, Allowed(np.zeros(rows, dtype=np.bool_))).rows) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_equal_vectors_are_all_there(kind: Kind, tmp_path: Path) -> None:
    FaissIndex.write(tmp_path, np.repeat(clusters()[:1], 1_000, axis=0), kind)
    index = FaissIndex.open(tmp_path)
    hits = index.search(clusters()[0], 100, Allowed(np.ones(1_000, dtype=np.bool_)))
    assert len(set(hits.rows.tolist())) == 100 and hits.scores[-1] > 0.999


def test_what_is_removed_under_an_open_index_is_still_read(tmp_path: Path) -> None:
    FaissIndex.write(tmp_path, clusters(), "ivf")
    index = FaissIndex.open(tmp_path)
    for path in tmp_path.iterdir():
        path.unlink()
    assert index.search(clusters()[3], 1, Allowed(np.ones(ROWS, dtype=np.bool_))).scores[0] > 0.999
    assert not (tmp_path / FILE).exists()
