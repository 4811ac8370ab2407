"""The extractive answerer only says what stands there, and says nothing where nothing answers."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.llm.answerable import Signals, probability
from app.llm.extractive import Extractive
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.types import Passage

TEXT = (
    "Canary releases\n\nHow large is the first stage?\n\nA canary release sends 1 percent of the traffic first. "
    "A canary release sends 1 percent of traffic first. Roll back within 5 minutes. Bananas are yellow and sweet."
)
EXTRACTIVE = Extractive(HashingEmbedder().embed_passages, ThreadPoolExecutor(1), min_answerable=0.0)


def passage(text: str = TEXT) -> Passage:
    return Passage("d", "u", "Canary releases", "s", 0, len(text), text, None, None, 1.0, {"minilm": 0.9})


def test_it_picks_the_sentence_that_answers_once_and_no_heading() -> None:
    chosen = EXTRACTIVE.choose("How much traffic does a canary release send first?", [passage()])
    assert chosen[0].startswith("A canary release sends 1 percent of")
    assert len(chosen) == 1, "its twin says nothing new, and bananas are beside the point"


def test_it_is_silent_below_the_threshold() -> None:
    strict = replace(EXTRACTIVE, min_answerable=0.99)
    assert strict.choose("Who painted the Sistine Chapel?", [passage()]) == []
    assert strict.choose("anything", []) == []


@given(st.text(max_size=300), st.text(max_size=80))
def test_every_sentence_stands_in_a_passage_verbatim(text: str, question: str) -> None:
    chosen = EXTRACTIVE.choose(question, [passage(text)])
    assert all(sentence in text for sentence in chosen)
    assert len(chosen) <= EXTRACTIVE.max_sentences


@given(st.tuples(*[st.floats(0, 1)] * 4), st.integers(0, 3), st.floats(0, 1))
def test_more_evidence_never_makes_an_answer_less_likely(values: tuple[float, ...], which: int, more: float) -> None:
    raised = list(values)
    raised[which] = max(raised[which], more)
    low, high = probability(Signals(*values)), probability(Signals(*raised))
    assert 0 < low <= high < 1 or np.isclose(low, high)
