"""Inner-product search in faiss, exact or over quantised vectors. The only door to faiss.

What is opened is mapped, not read: pages come into memory as searches touch them, and processes share them.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import faiss
import numpy as np
from numpy.typing import NDArray

from retrieval.embedders.port import Vectors
from retrieval.fusion import Hits
from retrieval.index.admission import Allowed
from retrieval.index.exact import ExactVectors

Kind = Literal["flat", "ivf", "hnsw"]
FILE, STRAYS = "vectors.faiss", "strays.npy"
QUANTISED_FROM = 400
"""Rows; fewer are flat, whatever is asked for: there is nothing to learn lists or ranges from."""
LISTS, ROWS_LEARNT = 4096, 40
"""Most lists of an IVF index, and rows of each that the k-means sees."""
LINKS, BUILD_WIDTH = 32, 80
"""Of an HNSW graph: neighbours of a node, and nodes looked at to find them."""
GOAL, TRIALS, TOP = 0.995, 256, 10
"""The search width is twice the least that finds so much of the exact best 10 of so many made-up queries.

Twice: what people ask lies further from all rows than what is made up of them.
"""
READ_DIRECTLY = 2_000
"""A filter that admits so few rows is answered from the exact vectors alone, without the index."""
LOCAL_SHARE: Mapping[Kind, float] = {"ivf": 0.05, "hnsw": 0.3}
"""Where a filter admits less than this of what lies around a question, every admitted row is compared with it. A graph
leads through what is not admitted, so it is given up sooner than lists.
"""
SEED = 20_240_601
_faiss: Any = faiss
"""For what its Python wrapper adds and its stubs do not know."""
_EMPTY = np.empty(0, np.int64)


class FaissIndex:
    """The vectors of one partition. Flat: exact, 3 ms for 50,000 rows of 384 dimensions on one core.

    IVF and HNSW hold vectors in 8 bits a dimension. They name candidates, more than are asked for, and the exact
    vectors decide; so their scores are as good as a flat index's.
    """

    def __init__(self, index: Any, exact: ExactVectors | None, strays: NDArray[np.int64]) -> None:
        self._index = index
        self._exact = exact
        self._strays = strays

    @staticmethod
    def write(folder: Path, vectors: Vectors, kind: Kind) -> None:
        """Index `vectors` (n, dimensions) into `folder`, row i is vector i; the caller makes it durable and visible."""
        if kind == "flat" or len(vectors) < QUANTISED_FROM:
            index = faiss.IndexFlatIP(vectors.shape[1])
            index.add(np.ascontiguousarray(vectors, dtype=np.float32))
        else:
            index = _ivf(vectors) if kind == "ivf" else _hnsw(vectors)
            ExactVectors.write(folder, vectors)
            if kind == "hnsw":
                np.save(folder / STRAYS, _strays(index, vectors))
        # Written here and not by faiss, whose errors do not say what the disk said.
        with (folder / FILE).open("wb") as file:
            file.write(faiss.serialize_index(index).data)

    @classmethod
    def open(cls, folder: Path) -> "FaissIndex":
        """Open what `write` wrote."""
        index = faiss.read_index(str(folder / FILE), faiss.IO_FLAG_MMAP_IFC)
        if isinstance(index, faiss.IndexFlatIP):
            return cls(index, None, _EMPTY)
        strays = np.load(folder / STRAYS) if isinstance(index, faiss.IndexHNSW) else _EMPTY
        return cls(index, ExactVectors(folder, index.d), strays)

    @property
    def kind(self) -> Kind:
        """Which one it is."""
        if self._exact is None:
            return "flat"
        return "hnsw" if isinstance(self._index, faiss.IndexHNSW) else "ivf"

    @property
    def width(self) -> str:
        """How wide a search looks without a filter, for people to read."""
        if self._exact is None:
            return "everything"
        if isinstance(self._index, faiss.IndexHNSW):
            return f"{self._index.hnsw.efSearch} nodes"
        return f"{self._index.nprobe} of {self._index.nlist} lists"

    def search(self, query: Vectors, k: int, allowed: Allowed) -> Hits:
        """The best `k` of the `allowed` rows by cosine; `query` is (dimensions,). Fewer only where there are fewer."""
        if query.shape != (self._index.d,):
            raise ValueError(f"the query vector has shape {query.shape}, the index holds {self._index.d} dimensions")
        k = min(k, allowed.count)
        if k == 0:
            return Hits(_EMPTY, np.empty(0, np.float32))
        asked = np.ascontiguousarray(query, dtype=np.float32)
        # A second thread saves little of so short a work, and where cores are busy, waiting for it costs 20 ms.
        with _one_thread():
            if self._exact is None:
                flat = None if allowed.everything else _faiss.SearchParameters(sel=_selector(allowed))
                scores, rows = self._index.search(asked[None, :], k, params=flat)
                return Hits(rows[0].astype(np.int64), scores[0].astype(np.float32))
            found = self._candidates(asked, k, allowed)
        scores = self._exact.read(found) @ asked
        order = np.lexsort((found, -scores))[:k]
        return Hits(found[order], scores[order])

    def vector(self, row: int) -> Vectors:
        """One row's vector, (dimensions,): the exact one, in half precision at least."""
        if self._exact is None:
            return np.asarray(self._index.reconstruct(int(row)), dtype=np.float32)
        return np.asarray(self._exact.read(np.array([row]))[0], dtype=np.float32)

    def _candidates(self, query: Vectors, k: int, allowed: Allowed) -> NDArray[np.int64]:
        """At least `k` admitted rows, ascending, among them nearly surely the best `k`.

        What a filter admits may be anything but spread evenly: rows of one subject, far from the question. So what
        lies around the question says whether to look there, the wider the less of it is admitted, or everywhere.
        """
        depth = _depth(k)
        if allowed.count <= max(depth, READ_DIRECTLY):
            return np.flatnonzero(allowed.mask)
        found = _look(self._index, query[None, :], depth)[0]
        if not allowed.everything:
            around = allowed.mask[found[found >= 0]]
            share = around.mean() if len(around) else 0.0
            if share < LOCAL_SHARE[self.kind]:
                return _scan(self._index, query, depth, allowed)
            found = _look(self._index, query[None, :], depth, 1 / share, _selector(allowed))[0]
        found = np.concatenate([found[found >= 0], self._strays[allowed.mask[self._strays]]])
        return np.unique(found) if len(found) >= k else _scan(self._index, query, depth, allowed)


def _depth(k: int) -> int:
    """Candidates for `k` hits: quantisation changes places among neighbours only."""
    return 2 * k + 32


def _selector(allowed: Allowed) -> Any:
    return None if allowed.everything else _faiss.IDSelectorBitmap(allowed.bits)


def _look(index: Any, queries: Vectors, depth: int, wider: float = 1.0, selector: Any = None) -> NDArray[np.int64]:
    """Candidates of each query, (queries, depth), from the lists or nodes around it; -1 where there are fewer."""
    if isinstance(index, faiss.IndexHNSW):
        width = math.ceil(max(index.hnsw.efSearch, depth) * wider)
        params = _faiss.SearchParametersHNSW(efSearch=width, sel=selector)
    else:
        lists = min(index.nlist, math.ceil(index.nprobe * wider))
        params = _faiss.SearchParametersIVF(nprobe=lists, sel=selector)
    found: NDArray[np.int64] = index.search(queries, depth, params=params)[1]
    return found


def _scan(index: Any, query: Vectors, depth: int, allowed: Allowed) -> NDArray[np.int64]:
    """Candidates from all admitted rows, ascending."""
    selector = _selector(allowed)
    if isinstance(index, faiss.IndexHNSW):
        index, params = _faiss.downcast_index(index.storage), _faiss.SearchParameters(sel=selector)
    else:
        params = _faiss.SearchParametersIVF(nprobe=index.nlist, sel=selector)
    found = index.search(query[None, :], depth, params=params)[1][0]
    return np.unique(found[found >= 0])


def _ivf(vectors: Vectors) -> Any:
    """Lists around the centres of a seeded k-means, vectors as 8 bits a dimension from their centre."""
    lists = max(1, min(LISTS, int(2 * math.sqrt(len(vectors))), len(vectors) // ROWS_LEARNT))
    index = _faiss.index_factory(vectors.shape[1], f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
    index.cp.seed, index.cp.niter, index.cp.spherical = SEED, 10, True
    index.train(_sample(vectors, lists * ROWS_LEARNT))
    _add(index, vectors)
    widths = [lists] if lists < 8 else [*(2**power for power in range(3, lists.bit_length())), lists]

    def set_width(width: int) -> None:
        index.nprobe = min(width, lists)

    _set_width(index, vectors, widths, set_width)
    return index


def _hnsw(vectors: Vectors) -> Any:
    """A graph of neighbours over vectors in 8 bits a dimension. One thread: the graph depends on the order."""
    index = _faiss.index_factory(vectors.shape[1], f"HNSW{LINKS},SQ8", faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = BUILD_WIDTH
    index.train(_sample(vectors, 100_000))
    with _one_thread():
        _add(index, vectors)

    def set_width(width: int) -> None:
        index.hnsw.efSearch = width

    _set_width(index, vectors, [32, 48, 64, 96, 128, 192, 256, 512, 1024], set_width)
    return index


def _strays(index: Any, vectors: Vectors) -> NDArray[np.int64]:
    """Rows that a walk for their own vector misses. They are compared with every query."""
    missed = []
    for start in range(0, len(vectors), 8192):
        own = np.ascontiguousarray(vectors[start : start + 8192], dtype=np.float32)
        found = _look(index, own, _depth(1))
        rows = np.arange(start, start + len(own))
        missed += rows[~(found == rows[:, None]).any(axis=1)].tolist()
    return np.array(missed, dtype=np.int64)


def _set_width(index: Any, vectors: Vectors, widths: list[int], set_width: Callable[[int], None]) -> None:
    """Set twice the least of the ascending `widths` with which enough of the best rows of made-up queries are found.

    A query is a row and half of another one: about as far from its row as questions are from their passages.
    """
    random = np.random.default_rng(SEED)
    pairs = random.integers(0, len(vectors), (2, TRIALS))
    queries = np.asarray(vectors[pairs[0]], dtype=np.float32) + 0.5 * np.asarray(vectors[pairs[1]], dtype=np.float32)
    best = _exact_best(np.ascontiguousarray(queries), vectors)
    for width in widths:
        set_width(width)
        found = _look(index, queries, _depth(TOP))
        if np.mean([np.isin(wanted, named).mean() for wanted, named in zip(best, found, strict=True)]) >= GOAL:
            break
    set_width(2 * width)


def _exact_best(queries: Vectors, vectors: Vectors) -> NDArray[np.int64]:
    """The best rows of each query, (queries, TOP)."""
    scores, rows = np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
    for start, block in _blocks(vectors):
        found = faiss.knn(queries, block, min(TOP, len(block)), metric=faiss.METRIC_INNER_PRODUCT)
        scores, rows = np.hstack([scores, found[0]]), np.hstack([rows, found[1] + start])
        order = np.argsort(-scores, axis=1, kind="stable")[:, :TOP]
        scores, rows = np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)
    return rows


def _add(index: Any, vectors: Vectors) -> None:
    for _, block in _blocks(vectors):
        index.add(block)


def _blocks(vectors: Vectors) -> Iterator[tuple[int, Vectors]]:
    """The vectors block by block, each with the number of its first row."""
    for start in range(0, len(vectors), 65_536):
        yield start, np.ascontiguousarray(vectors[start : start + 65_536], dtype=np.float32)


def _sample(vectors: Vectors, count: int) -> Vectors:
    """At most `count` of the vectors, always the same."""
    chosen = np.sort(np.random.default_rng(SEED).permutation(len(vectors))[:count])
    return np.ascontiguousarray(vectors[chosen], dtype=np.float32)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let faiss use no further thread for what the calling thread does."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
