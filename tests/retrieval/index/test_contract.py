"""What every index store must do, asked of each of them: the same rows, scores and errors, whatever stands behind."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import overload

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.embedders.port import Vectors
from retrieval.errors import IndexMissing
from retrieval.fusion import Hits
from retrieval.index.contents import IndexContents
from retrieval.index.port import IndexStore, SnapshotIndex
from retrieval.types import OPEN, SHARED, Access, Attribute, Labels, Scope
from tests.retrieval.index.backends import BACKENDS
from tests.retrieval.index.samples import (
    DIMENSIONS,
    TOLERANCE,
    WORDS,
    Doc,
    contents,
    dense_scores,
    some_docs,
    unit,
    word_scores,
)

OpenStore = Callable[[], IndexStore]
LABELS = [
    Labels(),
    Labels(SHARED),
    Labels("acme"),
    Labels("acme", ("staff",)),
    Labels("acme", ("board", "staff"), {"year": 2026, "kind": "price"}),
    Labels("acme", (), {"year": 2025, "draft": True}),
    Labels("other", (), {"year": 2026}),
    Labels(SHARED, ("staff",), {"kind": "price", "weight": 1.5}),
]
STAFF, BOARD = frozenset({"staff"}), frozenset({"board"})
SCOPES = [
    OPEN,
    Scope(Access("acme")),
    Scope(Access("acme", STAFF)),
    Scope(Access("acme", BOARD | {"none such"})),
    Scope(Access("acme", BOARD), {"year": 2026, "kind": "price"}),
    Scope(Access("acme", STAFF), {"kind": "price"}),
    Scope(Access("acme"), {"draft": True}),
    Scope(Access("acme"), {"year": 2025.0}),
    Scope(Access("acme"), {"year": "2026"}),
    Scope(Access("acme"), {"no such": 1}),
    Scope(Access("other")),
    Scope(Access("nobody")),
    Scope(Access(SHARED, STAFF)),
]


@pytest.fixture(params=list(BACKENDS))
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenStore]:
    """Opens the test's store; called again, it opens the same one as another process would."""
    backend = BACKENDS[request.param]
    if backend.lacks:
        pytest.skip(f"{request.param} needs {', '.join(backend.lacks)}")
    opened: list[IndexStore] = []

    def another() -> IndexStore:
        opened.append(backend.open(tmp_path, request))
        return opened[-1]

    yield another
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: OpenStore) -> IndexStore:
    return open_store()


def put(store: IndexStore, held: IndexContents, snapshot: str = "one") -> SnapshotIndex:
    store.write("default", snapshot, held)
    return store.open("default", snapshot)


def agree(hits: Hits, expected: Mapping[int, float], k: int) -> None:
    """The best `k` of the expected rows, in order: rows closer than the tolerance may change places, equal ones not."""
    best = sorted(expected, key=lambda row: (-expected[row], row))[:k]
    assert hits.rows.dtype == np.int64 and hits.scores.dtype == np.float32
    assert len(set(hits.rows.tolist())) == len(hits.rows) == len(best)
    assert set(hits.rows.tolist()) <= expected.keys()
    np.testing.assert_allclose(hits.scores, [expected[row] for row in best], atol=TOLERANCE)
    np.testing.assert_allclose(hits.scores, [expected[row] for row in hits.rows.tolist()], atol=TOLERANCE)
    ordered = list(zip((-hits.scores).tolist(), hits.rows.tolist(), strict=True))
    assert ordered == sorted(ordered), "best first, ties to the lower row"


class Failing(Mapping[str, Vectors]):
    """Vectors of which the last cannot be read."""

    def __init__(self, vectors: Mapping[str, Vectors]) -> None:
        self._vectors = vectors

    def __getitem__(self, name: str) -> Vectors:
        if name == list(self._vectors)[-1]:
            raise OSError(5, "Input/output error")
        return self._vectors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._vectors)

    def __len__(self) -> int:
        return len(self._vectors)


class FailingWords(Sequence[Sequence[str]]):
    """Words of which those of the last row cannot be read."""

    def __init__(self, words: Sequence[Sequence[str]]) -> None:
        self._words = words

    @overload
    def __getitem__(self, at: int) -> Sequence[str]: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Sequence[str]]: ...
    def __getitem__(self, at: int | slice) -> Sequence[str] | Sequence[Sequence[str]]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        if at == len(self._words) - 1:
            raise OSError(5, "Input/output error")
        return self._words[at]

    def __len__(self) -> int:
        return len(self._words)


# --- the store ---


def test_what_was_written_is_there_for_everyone(open_store: OpenStore) -> None:
    store, held = open_store(), contents(some_docs(1, 20, LABELS))
    assert not store.holds("default", "one")
    store.write("default", "one", held)
    store.write("b", "one", contents([Doc(Labels(), [["x"]])]))
    for seen in (store, open_store()):
        assert seen.holds("default", "one") and seen.holds("b", "one")
        assert not seen.holds("default", "two") and not seen.holds("none", "one")
        assert seen.corpora() == ["b", "default"]
        assert seen.faults("default", "one") == []
        index = seen.open("default", "one")
        assert sorted(index.embedders) == sorted(DIMENSIONS)
        places = [
            (*held.rows.documents[held.rows.document[row]], int(held.rows.start[row]), int(held.rows.end[row]))
            for row in range(len(held.rows))
        ]
        assert index.places(range(len(held.rows))) == places
        assert index.places([5, 2, 5]) == [places[5], places[2], places[5]]
        assert index.places([]) == []


def test_writing_twice_changes_nothing(open_store: OpenStore) -> None:
    store, held = open_store(), contents(some_docs(1, 20, LABELS))
    query = unit(np.random.default_rng(3), 1, DIMENSIONS["small"])[0]
    before = put(store, held).nearest("small", query, 10, OPEN)
    for again in (store, open_store()):
        again.write("default", "one", held)
        found = again.open("default", "one").nearest("small", query, 10, OPEN)
        assert found.rows.tolist() == before.rows.tolist() and found.scores.tolist() == before.scores.tolist()


def test_a_missing_index_says_so(store: IndexStore) -> None:
    assert not store.holds("default", "one") and store.corpora() == []
    with pytest.raises(IndexMissing):
        store.open("default", "one")
    store.write("default", "one", contents([Doc(Labels(), [["x"]])]))
    for corpus, snapshot in (("default", "two"), ("other", "one")):
        with pytest.raises(IndexMissing):
            store.open(corpus, snapshot)
    assert store.faults("default", "two")


@pytest.mark.parametrize("what", ["vectors", "words"])
def test_a_write_that_fails_leaves_nothing_to_be_seen(open_store: OpenStore, what: str) -> None:
    store, held = open_store(), contents(some_docs(1, 20, LABELS))
    broken = (
        replace(held, vectors=Failing(held.vectors))
        if what == "vectors"
        else replace(held, words=FailingWords(held.words))
    )
    with pytest.raises(Exception, match="Input/output error"):
        store.write("default", "one", broken)
    for seen in (store, open_store()):
        assert not seen.holds("default", "one")
        with pytest.raises(IndexMissing):
            seen.open("default", "one")
    agree(put(store, held).matching({"word0": 1.0}, 9, OPEN), word_scores(held, {"word0": 1.0}, OPEN), 9)


def test_two_snapshots_stand_side_by_side(store: IndexStore) -> None:
    docs = some_docs(1, 20, LABELS)
    one, two = contents(docs, seed=1), contents(docs[:7], seed=2)
    first, second = put(store, one), put(store, two, "two")
    query = unit(np.random.default_rng(3), 1, DIMENSIONS["large"])[0]
    for held, index in ((one, first), (two, second)):
        agree(index.nearest("large", query, 10, OPEN), dense_scores(held, "large", query, OPEN), 10)
        agree(index.matching({"word1": 1.0}, 10, OPEN), word_scores(held, {"word1": 1.0}, OPEN), 10)


def test_keep_only_removes_the_corpus_s_other_snapshots(open_store: OpenStore) -> None:
    store, held = open_store(), contents(some_docs(1, 10, LABELS))
    for corpus, snapshot in (("a", "one"), ("a", "two"), ("a", "three"), ("b", "one")):
        store.write(corpus, snapshot, held)
    store.keep_only("a", ["two", "none such"])
    store.keep_only("none such", [])
    for seen in (store, open_store()):
        assert [seen.holds("a", name) for name in ("one", "two", "three")] == [False, True, False]
        assert seen.holds("b", "one")
        agree(seen.open("a", "two").matching({"word0": 1}, 5, OPEN), word_scores(held, {"word0": 1}, OPEN), 5)
    store.write("a", "one", held)
    assert store.holds("a", "one") and store.faults("a", "one") == []


def test_an_empty_index_finds_nothing(store: IndexStore) -> None:
    index = put(store, contents([]))
    query = unit(np.random.default_rng(3), 1, DIMENSIONS["large"])[0]
    assert len(index.nearest("large", query, 5, OPEN).rows) == 0
    assert len(index.matching({"x": 1.0}, 5, OPEN).rows) == 0
    assert sorted(index.embedders) == sorted(DIMENSIONS) and store.faults("default", "one") == []


# --- vectors ---


@pytest.mark.parametrize("k", [1, 10, 10_000])
def test_the_nearest_are_those_of_the_inner_product(store: IndexStore, k: int) -> None:
    held = contents(some_docs(4, 60, LABELS))
    index, rng = put(store, held), np.random.default_rng(5)
    for name, dimensions in DIMENSIONS.items():
        for scope in SCOPES:
            query = unit(rng, 1, dimensions)[0]
            agree(index.nearest(name, query, k, scope), dense_scores(held, name, query, scope), k)


def test_vectors_come_back_in_the_order_they_are_asked_for(store: IndexStore) -> None:
    held = contents(some_docs(9, 20, LABELS))
    index = put(store, held)
    rows = [len(held.rows) - 1, 0, len(held.rows) // 2, 1]
    for name, vectors in held.vectors.items():
        found = index.vectors(name, rows)
        if found is not None:  # a store may give none back: then there is no second search
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, vectors[rows], atol=1e-3)


def test_equal_vectors_come_in_the_order_of_their_rows(store: IndexStore) -> None:
    held = contents([Doc(Labels(SHARED if i % 2 else ""), [["x"]]) for i in range(30)])
    same = np.tile(unit(np.random.default_rng(1), 1, 7), (30, 1))
    index = put(store, replace(held, vectors={"small": same}))
    for k in (7, 30):
        assert index.nearest("small", same[0], k, OPEN).rows.tolist() == list(range(k))
        assert index.matching({"x": 1.0}, k, OPEN).rows.tolist() == list(range(k))


def test_a_query_of_other_dimensions_is_refused(store: IndexStore) -> None:
    index = put(store, contents([Doc(Labels(), [["x"]])]))
    with pytest.raises(ValueError, match="dimensions"):
        index.nearest("large", np.ones(3, dtype=np.float32), 1, OPEN)


# --- words ---


@pytest.mark.parametrize("k", [1, 10, 10_000])
def test_words_score_as_lucene_s_bm25_within_each_tenant(store: IndexStore, k: int) -> None:
    held = contents(some_docs(6, 60, LABELS))
    index = put(store, held)
    for words in (
        {"word0": 1.0},
        {"word0": 1.0, "word3": 0.25, "word30": 2.0, "never": 1.0},
        dict.fromkeys(WORDS, 1.0),
    ):
        for scope in SCOPES:
            agree(index.matching(words, k, scope), word_scores(held, words, scope), k)


def test_words_that_find_nothing(store: IndexStore) -> None:
    index = put(store, contents([Doc(Labels(), [["x"], []]), Doc(Labels("acme"), [[], []])]))
    assert len(index.matching({}, 5, OPEN).rows) == 0
    assert len(index.matching({"never": 1.0}, 5, OPEN).rows) == 0
    assert len(index.matching({"x": 1.0}, 5, Scope(Access("acme"))).rows) == 0
    assert index.matching({"x": 1.0}, 5, OPEN).rows.tolist() == [0]


STRANGE = [
    "don't", 'say "hi"', "back\\slash", "\\N", "\\.", "%s", "%(x)s", "{a,b}", "NULL", "null", "tab\there", "a\nbreak",
    "na\u00efve", "nai\u0308ve", "STRASSE", "straße", "strasse", "日本", "😀", "ı", "I", "i", "pump", "pump ", " pump",
    "_", "__", "$1", ":x", "?", "--", ";drop", "\u200b", "\u00a0", "'", "''", "long" * 800, "\u03a9", "\u2126", "*",
    "a*", "and", "or", "", " ",
]  # fmt: skip


def test_a_word_is_its_characters_and_no_others(store: IndexStore) -> None:
    strange = list(dict.fromkeys(STRANGE))
    held = contents([Doc(Labels(), [[word, "common"]]) for word in strange])
    index = put(store, held)
    for row, word in enumerate(strange):
        assert index.matching({word: 1.0}, 50, OPEN).rows.tolist() == [row], word
    agree(
        index.matching(dict.fromkeys(strange, 1.0), 100, OPEN),
        word_scores(held, dict.fromkeys(strange, 1.0), OPEN),
        100,
    )


def test_a_tenant_and_a_group_and_an_attribute_are_their_characters(store: IndexStore) -> None:
    strange = [word for word in dict.fromkeys(STRANGE) if len(word) <= 80 and word != SHARED]
    docs = [Doc(Labels(word, (word, "staff"), {word: word, "'": i}), [["x"]]) for i, word in enumerate(strange)]
    held = contents(docs)
    index = put(store, held)
    for word in strange:
        for scope in (
            Scope(Access(word, frozenset({word}))),
            Scope(Access(word, frozenset({word + "x"}))),
            Scope(Access(word, STAFF), {word: word}),
            Scope(Access(word, STAFF), {word: word + "x"}),
        ):
            agree(index.matching({"x": 1.0}, 50, scope), word_scores(held, {"x": 1.0}, scope), 50)


# --- who sees what ---


def test_another_tenant_s_documents_move_no_score(store: IndexStore) -> None:
    own = some_docs(7, 30, [Labels("acme"), Labels(SHARED)])
    loud = [Doc(Labels("zulu"), [["word0"] * 50, ["word1", "word2"] * 20]) for _ in range(20)]
    alone, both = contents(own), contents([*own, *loud])
    scope, words = Scope(Access("acme")), {"word0": 1.0, "word1": 0.5, "word2": 1.0}
    without, within = put(store, alone), put(store, both, "two")
    first, second = without.matching(words, 50, scope), within.matching(words, 50, scope)
    assert len(first.rows) and first.rows.tolist() == second.rows.tolist()
    assert first.scores.tolist() == second.scores.tolist()


def test_a_selective_filter_loses_nothing(store: IndexStore) -> None:
    rare = [Doc(Labels("acme", (), {"number": i}), [["word0", "rare"]]) for i in range(3)]
    many = [Doc(Labels("acme", ("board",)), [["word0", "word1"]] * 40) for _ in range(50)]
    held = contents([*many[:25], *rare, *many[25:]])
    index, rng = put(store, held), np.random.default_rng(8)
    for scope in (Scope(Access("acme")), *(Scope(Access("acme"), {"number": i}) for i in range(3))):
        query = unit(rng, 1, DIMENSIONS["large"])[0]
        expected = dense_scores(held, "large", query, scope)
        assert len(expected) in (1, 3)
        agree(index.nearest("large", query, 10, scope), expected, 10)
        agree(index.matching({"word0": 1.0}, 10, scope), word_scores(held, {"word0": 1.0}, scope), 10)


def test_rows_and_scores_are_those_of_the_reference(
    store: IndexStore, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    held = contents(some_docs(9, 80, LABELS))
    reference = put(next(iter(BACKENDS.values())).open(tmp_path / "reference", request), held)
    index, rng = put(store, held), np.random.default_rng(10)
    for scope in SCOPES:
        query = unit(rng, 1, DIMENSIONS["large"])[0]
        words = {
            str(word): float(weight) for word, weight in zip(rng.choice(WORDS, 5), rng.uniform(0.1, 2, 5), strict=True)
        }
        for ours, theirs in (
            (index.nearest("large", query, 10, scope), reference.nearest("large", query, 1000, scope)),
            (index.matching(words, 10, scope), reference.matching(words, 1000, scope)),
        ):
            count = min(10, len(theirs.rows))
            np.testing.assert_allclose(ours.scores, theirs.scores[:count], atol=TOLERANCE)
            gaps = np.abs(np.diff(theirs.scores, prepend=np.inf, append=-np.inf)) > TOLERANCE
            alone = (gaps[:-1] & gaps[1:])[:count]  # neighbours that score alike may have changed places
            assert ours.rows[alone].tolist() == theirs.rows[:count][alone].tolist()


VALUES: st.SearchStrategy[Attribute] = st.sampled_from(["x", "1", 1, 0, 1.5, True, False])
ATTRIBUTES = st.dictionaries(st.sampled_from(["year", "it's"]), VALUES, max_size=2)
GROUPS = st.sets(st.sampled_from(["a", "b", "c d"]), max_size=2)
TENANTS = st.sampled_from(["", "acme", "other", SHARED])
DRAWN = st.builds(Labels, TENANTS, GROUPS.map(lambda found: tuple(sorted(found))), ATTRIBUTES)
ASKED = st.builds(Scope, st.builds(Access, TENANTS, GROUPS.map(frozenset)), ATTRIBUTES)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    labels=st.lists(DRAWN, min_size=1, max_size=12),
    scopes=st.lists(ASKED, min_size=1, max_size=8),
    seed=st.integers(0, 99),
)
def test_a_scope_finds_exactly_what_it_admits(
    store: IndexStore, labels: list[Labels], scopes: list[Scope], seed: int
) -> None:
    held = contents([doc for said in labels for doc in some_docs(seed, 2, [said])], seed)
    store.keep_only("default", [])
    index = put(store, held)
    query = unit(np.random.default_rng(seed), 1, DIMENSIONS["small"])[0]
    for scope in [*scopes, *(Scope(said.access(), said.attributes) for said in labels)]:
        for hits, expected in (
            (index.nearest("small", query, 30, scope), dense_scores(held, "small", query, scope)),
            (
                index.matching({"word0": 1.0, "word1": 0.5}, 30, scope),
                word_scores(held, {"word0": 1.0, "word1": 0.5}, scope),
            ),
        ):
            assert all(scope.admits(held.rows.labels[held.rows.document[row]]) for row in hits.rows)
            agree(hits, expected, 30)
