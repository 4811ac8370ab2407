"""The extractive answerer only says what stands there, and little of it."""

from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from app.llm.extractive import Extractive
from app.llm.port import DraftRequest, DraftText
from app.reading import Candidate, Reading, SentenceReader
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.types import Passage

TEXT = (
    "Canary releases\n\nHow large is the first stage?\n\nA canary release sends 1 percent of the traffic first. "
    "A canary release sends 1 percent of traffic first. Roll back within 5 minutes. Bananas are yellow and sweet."
)
EXTRACTIVE = Extractive(SentenceReader(HashingEmbedder().embed_passages), ThreadPoolExecutor(1))


def passage(text: str = TEXT) -> Passage:
    return Passage("d", "u", "Canary releases", "s", 0, len(text), text, None, None, 1.0, {"minilm": 0.9})


def test_it_picks_the_sentence_that_answers_once_and_no_heading() -> None:
    chosen = EXTRACTIVE.choose("How much traffic does a canary release send first?", [passage()])
    assert chosen[0].startswith("A canary release sends 1 percent of")
    assert len(chosen) == 1, "its twin says nothing new, and bananas are beside the point"


def test_it_says_nothing_of_nothing() -> None:
    assert EXTRACTIVE.choose("anything", []) == []


async def test_it_does_not_read_again_what_was_read_already() -> None:
    known = Reading("q", (passage(),), (Candidate("Roll back within 5 minutes.", 0, 3, 0.5, 0.5, 0.9),), {})
    request = DraftRequest("How much traffic?", (), (passage(),), reading=known)
    said = [part.text async for part in EXTRACTIVE.draft(request) if isinstance(part, DraftText)]
    assert said == ["Roll back within 5 minutes.\n"]


@given(st.text(max_size=300), st.text(max_size=80))
def test_every_sentence_stands_in_a_passage_verbatim(text: str, question: str) -> None:
    chosen = EXTRACTIVE.choose(question, [passage(text)])
    assert all(sentence in text for sentence in chosen)
    assert len(chosen) <= EXTRACTIVE.max_sentences
