"""Sentences are ranked, and the cross-encoder reads within its budget."""

from collections.abc import Iterator, Sequence

from app.reading import SentenceReader
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.types import Passage

EMBED = HashingEmbedder().embed_passages
TEXT = "Canary releases start small. Nothing else is known here. Bananas are yellow and very sweet. Roll back at once."


class Likes:
    """Scores texts that hold a word 0.9, others 0.1, and keeps what it read."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.read: list[str] = []

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def scores(self, query: str, texts: Sequence[str]) -> Iterator[float]:
        for text in texts:
            self.read.append(text)
            yield 0.9 if self.word in text else 0.1


def passage(**parts: float) -> Passage:
    return Passage("d", "u", "Notes", "s", 0, len(TEXT), TEXT, None, None, 1.0, parts)


def test_what_the_cross_encoder_likes_comes_first() -> None:
    likes = Likes("Bananas are")
    found = SentenceReader(EMBED, likes).read("What is a canary?", [passage()])
    assert found.candidates[0].text.startswith("Bananas") and found.candidates[0].pair == 0.9
    assert found.passage_pairs == {0: 0.9} and len(found.passage_cosines) == 1
    scores = [candidate.score for candidate in found.candidates]
    assert scores == sorted(scores, reverse=True) and all(0 <= score <= 1 for score in scores)


def test_it_does_not_read_what_the_search_has_had_read() -> None:
    likes = Likes("x")
    found = SentenceReader(EMBED, likes).read("What is a canary?", [passage(cross_encoder=0.4, minilm=0.3)])
    assert found.passage_pairs == {0: 0.4} and found.passage_cosines == (0.3,)
    assert all(text.startswith("Notes. ") for text in likes.read)


def test_the_budget_bounds_what_is_read_but_one_text_is() -> None:
    likes = Likes("x")
    found = SentenceReader(EMBED, likes, pair_tokens=1).read("What is a canary?", [passage()])
    assert len(likes.read) == 1 and sum(candidate.pair is not None for candidate in found.candidates) == 1
    assert len(found.candidates) == 4


def test_without_sentences_there_is_nothing_to_rank() -> None:
    assert SentenceReader(EMBED, Likes("x")).read("q", []).candidates == ()
