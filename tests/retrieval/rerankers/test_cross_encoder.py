"""The second look: an average of two scores, within a budget, over a list that stays whole."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.config import RerankSettings
from retrieval.rerankers.cross_encoder import PART, CrossEncoderFusion, MsMarcoMiniLM
from retrieval.types import Passage


class Scripted:
    """Scores by text; one token a word."""

    fingerprint = "scripted"

    def __init__(self, scores: dict[str, float], seconds: float = 0.0) -> None:
        self._scores = scores
        self._seconds = seconds
        self.read: list[str] = []

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def scores(self, query: str, texts: Sequence[str]) -> Iterator[float]:
        for text in texts:
            time.sleep(self._seconds)
            self.read.append(text)
            yield self._scores[text.split("\n")[-1]]


def passage(text: str, score: float) -> Passage:
    return Passage("d", "u", "Title", "s", 0, len(text), text, None, "Title > Part", score, {"bm25": 1.0})


PASSAGES = [passage("first", 0.9), passage("second", 0.8), passage("third", 0.7), passage("fourth", 0.1)]


def test_the_order_is_that_of_the_average() -> None:
    scorer = Scripted({"first": 0.1, "second": 0.3, "third": 0.9, "fourth": 0.2})
    found = CrossEncoderFusion(scorer, RerankSettings(weight=1, candidates=4)).rerank("q", PASSAGES)
    assert [p.text for p in found] == ["third", "second", "first", "fourth"]
    assert found[0].score == pytest.approx(0.8)
    assert found[0].parts == {"bm25": 1.0, PART: 0.9}
    assert scorer.read[0] == "Title > Part\nfirst"  # as embedders saw it


def test_what_the_budget_does_not_reach_follows_unread() -> None:
    scorer = Scripted({"first": 0.0, "second": 1.0})
    settings = RerankSettings(max_tokens=2 * (1 + 4), weight=1)
    found = CrossEncoderFusion(scorer, settings).rerank("q", PASSAGES)
    assert [p.text for p in found] == ["second", "first", "third", "fourth"]
    assert [PART in p.parts for p in found] == [True, True, False, False]


def test_one_passage_is_read_however_small_the_budget() -> None:
    scorer = Scripted({"first": 0.5})
    found = CrossEncoderFusion(scorer, RerankSettings(max_tokens=1)).rerank("q", PASSAGES)
    assert [PART in p.parts for p in found] == [True, False, False, False]


def test_an_overloaded_machine_stops_at_the_time_limit() -> None:
    scorer = Scripted(dict.fromkeys(("first", "second", "third", "fourth"), 0.5), seconds=0.03)
    found = CrossEncoderFusion(scorer, RerankSettings(timeout_ms=1)).rerank("q", PASSAGES)
    assert scorer.read == ["Title > Part\nfirst"]
    assert len(found) == 4


def first_stage(*parts: tuple[float, dict[str, float]]) -> list[Passage]:
    return [replace(passage(f"t{i}", score), parts=found) for i, (score, found) in enumerate(parts)]


AGREED = first_stage((0.9, {"bm25": 7.0, "dense": 0.6}), (0.6, {"bm25": 5.0, "dense": 0.5}), (0.2, {"dense": 0.4}))
SPLIT = first_stage((0.9, {"bm25": 7.0, "dense": 0.5}), (0.6, {"bm25": 5.0, "dense": 0.6}))
CLOSE = first_stage((0.9, {"bm25": 7.0, "dense": 0.6}), (0.85, {"bm25": 6.9, "dense": 0.59}))
ONE_PART = first_stage((0.9, {"bm25": 7.0}), (0.2, {"bm25": 1.0}))


@pytest.mark.parametrize(
    ("found", "margin", "reads"),
    [(AGREED, 0.1, 0), (AGREED, None, 3), (AGREED, 0.5, 3), (SPLIT, 0.1, 2), (CLOSE, 0.1, 2), (ONE_PART, 0.1, 2)],
)
def test_a_sure_first_stage_is_not_asked_about(found: list[Passage], margin: float | None, reads: int) -> None:
    scorer = Scripted({"t0": 0.1, "t1": 0.9, "t2": 0.5})
    ranked = CrossEncoderFusion(scorer, RerankSettings(skip_margin=margin)).rerank("q", found)
    assert len(scorer.read) == reads
    assert (ranked == found) is (reads == 0)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=12), st.integers(1, 12), st.floats(0, 5))
def test_nothing_is_lost_and_scores_fall(pairs: list[tuple[float, float]], candidates: int, weight: float) -> None:
    firsts = sorted((first for first, _ in pairs), reverse=True)
    passages = [passage(f"t{i}", first) for i, first in enumerate(firsts)]
    scorer = Scripted({f"t{i}": second for i, (_, second) in enumerate(pairs)})
    found = CrossEncoderFusion(scorer, RerankSettings(candidates=candidates, weight=weight)).rerank("q", passages)
    assert sorted(p.text for p in found) == sorted(p.text for p in passages)
    scores = [p.score for p in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


@pytest.mark.model
def test_the_packaged_model_tells_an_answer_from_a_neighbour() -> None:
    right, wrong = MsMarcoMiniLM().scores(
        "How long does a canary release run?",
        ["A canary release runs for one hour.", "The canary is a small yellow bird."],
    )
    assert 0.5 < right <= 1
    assert 0 <= wrong < right
