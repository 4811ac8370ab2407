"""Feedback: the question moves towards what was liked, and only where something was."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bootstrap import Services
from retrieval.config import RerankSettings
from retrieval.feedback import liking, towards
from retrieval.rerankers.cross_encoder import PART, CrossEncoderFusion
from retrieval.search import Retriever
from retrieval.sources.folder import list_files
from retrieval.types import OPEN, Passage, Query


def passage(score: float) -> Passage:
    return Passage("d", "u", "T", "s", 0, 1, "x", None, None, score, {})


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_liking_sums_to_one_and_keeps_the_order(scores: list[float]) -> None:
    weights = liking([passage(score) for score in scores])
    assert weights.sum() == pytest.approx(1)
    order = np.argsort(scores, kind="stable")
    assert (np.diff(weights[order]) >= -1e-12).all()


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 2))
def test_the_question_comes_nearer_to_what_was_liked(seed: int, step: float) -> None:
    chance = np.random.default_rng(seed)
    question, liked = (v / np.linalg.norm(v) for v in chance.normal(size=(2, 16)))
    moved = towards(question.astype(np.float32), liked[None].astype(np.float32), np.ones(1), step)
    assert np.linalg.norm(moved) == pytest.approx(1, abs=1e-5)
    assert moved @ liked >= question @ liked - 1e-6


def test_passages_that_cancel_out_move_nothing() -> None:
    question = np.array([1, 0], dtype=np.float32)
    opposite = np.array([[0, 1], [0, -1]], dtype=np.float32)
    assert (towards(question, opposite, np.array([0.5, 0.5]), 1.0) == question).all()


class Likes:
    """A cross-encoder that likes one word, and counts what it reads."""

    fingerprint = "likes"

    def __init__(self, word: str) -> None:
        self.word, self.read = word, list[str]()

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def scores(self, query: str, texts: Sequence[str]) -> Iterator[float]:
        for text in texts:
            self.read.append(text)
            yield 0.95 if self.word in text else 0.05


@pytest.fixture
def retriever(services: Services, tmp_path: Path) -> Retriever:
    for number in range(12):
        subject = "boats sails harbour wind" if number % 2 else "ovens bread flour yeast"
        (tmp_path / f"{number}.md").write_text(f"# Note {number}\n\nA note on {subject} and paper {number}.")
    services.ingestor.ingest(list_files([tmp_path]), "default")
    return services.retriever


def looking(retriever: Retriever, scorer: Likes, feedback: float, **settings: object) -> Retriever:
    rules = RerankSettings(candidates=4, skip_margin=None, **settings)  # type: ignore[arg-type]
    return replace(retriever, reranker=CrossEncoderFusion(scorer, rules), feedback=feedback)


def test_a_second_search_finds_more_of_what_was_liked(retriever: Retriever) -> None:
    query = Query("note on paper")
    once = looking(retriever, Likes("bread"), 0.0).steps(query, "default", 8, OPEN)
    again = looking(retriever, Likes("bread"), 2.0).steps(query, "default", 8, OPEN)
    assert again.moved and not once.moved
    vectors = (set(again.hits) - {"bm25"}).pop()
    before, after = (
        [row for row in steps.hits[vectors].rows[:6].tolist() if row in bread(retriever, steps.index)]
        for steps in (once, again)
    )
    assert len(after) > len(before) or len(after) == 6


def bread(retriever: Retriever, index: object) -> set[int]:
    places = index.places(list(range(12)))  # type: ignore[attr-defined]
    return {
        row
        for row, (doc_id, version, _, _) in enumerate(places)
        if "bread" in retriever.reader.document(doc_id, version).parsed.text
    }


def test_nothing_is_read_twice(retriever: Retriever) -> None:
    scorer = Likes("bread")
    steps = looking(retriever, scorer, 1.0).steps(Query("note on paper"), "default", 8, OPEN)
    assert steps.moved
    assert len(scorer.read) == len(set(scorer.read))
    assert all(PART in passage.parts for passage in steps.reranked[:4])


def test_without_a_second_look_there_is_no_second_search(retriever: Retriever) -> None:
    plain = replace(retriever, feedback=1.0).steps(Query("note on paper"), "default", 8, OPEN)
    assert not plain.moved


def test_scores_are_those_of_the_question_as_it_was_asked(retriever: Retriever) -> None:
    query = Query("note on paper")
    once = looking(retriever, Likes("bread"), 0.0).steps(query, "default", 12, OPEN)
    again = looking(retriever, Likes("bread"), 1.0).steps(query, "default", 12, OPEN)
    part = retriever.embedders[0].name
    cosines = [{(p.doc_id, p.start): p.parts[part] for p in steps.final} for steps in (once, again)]
    assert again.moved and cosines[0].keys() == cosines[1].keys()
    for where, cosine in cosines[0].items():
        assert cosines[1][where] == pytest.approx(cosine, abs=1e-5)
