"""What a question means to each part: earlier questions count less, other languages have their own words."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bootstrap import Services
from retrieval.diversity import spread, without_duplicates
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.files import list_files
from retrieval.language import language_of
from retrieval.query import DECAY, vector, weighted_words
from retrieval.store.rows import ChunkRow
from retrieval.types import Passage, Query
from retrieval.windows import windows
from retrieval.words import content_words, index_words


def test_words_of_earlier_questions_count_less_the_older_they_are() -> None:
    words = weighted_words(Query("How long is the gap?", ("Tell me about splits", "And about canaries")))
    assert words["gap"] == 1.0
    assert words["canari"] == pytest.approx(DECAY)
    assert words["split"] == pytest.approx(DECAY**2)
    assert set(weighted_words(Query("How long is the gap?"))) == set(content_words("How long is the gap?"))


def test_a_word_that_comes_again_keeps_its_higher_weight() -> None:
    assert weighted_words(Query("gap", ("gap gap gap",)))["gap"] == 1.0


def test_the_embedding_leans_on_the_question_itself() -> None:
    embedder = HashingEmbedder()
    mixed = vector(Query("how long is the gap", ("canary releases",)), embedder)
    alone, before = embedder.embed_query("how long is the gap"), embedder.embed_query("canary releases")
    assert np.linalg.norm(mixed) == pytest.approx(1.0, abs=1e-5)
    assert mixed @ alone > mixed @ before > alone @ before
    assert np.array_equal(vector(Query("how long is the gap"), embedder), alone)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Wie viele Punkte gab die Verteidigung der Panthers ab?", "de"),
        ("Combien de points la défense des Panthers a-t-elle cédés cette saison ?", "fr"),
        ("How many points did the Panthers defense surrender?", "en"),
        ("GPT-4 vs BERT?", "en"),
        ("", "en"),
    ],
)
def test_a_language_is_told_where_it_is_sure(text: str, language: str) -> None:
    assert language_of(text) == language


def test_parts_of_a_compound_meet_in_german_and_not_in_english() -> None:
    asked = set(index_words("die Verteidigung", "de"))
    assert asked & set(index_words("Landesverteidigungsminister", "de"))
    assert not set(index_words("over", "en")) & set(index_words("overwhelming", "en"))


def test_scripts_without_spaces_meet_in_pairs_of_characters() -> None:
    assert set(index_words("东京", "zh")) <= set(index_words("我在东京工作", "zh"))


async def test_a_german_question_finds_what_only_a_compound_says(services: Services, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for name, text in {
        "a.txt": "Die Hafengebührenordnung regelt, was ein Boot am Steg bezahlen muss und wer es einzieht.",
        "b.txt": "Der Leuchtturm wurde im Jahr 1898 gebaut und ist heute ein Museum mit einer kleinen Ausstellung.",
    }.items():
        (tmp_path / "docs" / name).write_text(text, encoding="utf-8")
    services.ingestor.ingest(list_files([tmp_path / "docs"]), "default")
    found = await services.retriever.only("bm25").search(
        "Wie hoch ist die Gebühr im Hafen für mein Boot?", "default", 2
    )
    assert found.passages[0].uri == "a.txt"


@st.composite
def chunk_rows(draw: st.DrawFn) -> list[ChunkRow]:
    rows: list[ChunkRow] = []
    for document in range(draw(st.integers(0, 3))):
        at = 0
        for _ in range(draw(st.integers(1, 6))):
            at += draw(st.integers(0, 5))
            end = at + draw(st.integers(1, 40))
            rows.append(ChunkRow(f"d{document}", "v", at, end, "", "h"))
            at = end
    return rows


@given(chunk_rows(), st.integers(1, 100))
def test_every_chunk_lies_in_its_window_and_windows_keep_the_bound(rows: list[ChunkRow], max_chars: int) -> None:
    found = windows(rows, max_chars)
    assert len(found) == len(rows)
    for row, window in zip(rows, found, strict=True):
        assert window.doc_id == row.doc_id
        assert window.start <= row.start < row.end <= window.end
        assert window.end - window.start <= max(max_chars, row.end - row.start)


def test_a_document_a_little_too_long_is_halved_and_has_no_short_rest() -> None:
    rows = [ChunkRow("d", "v", at, at + 100, "", "h") for at in range(0, 1_100, 100)]
    assert {(window.start, window.end) for window in windows(rows, 1_000)} == {(0, 500), (500, 1_100)}
    assert {(window.start, window.end) for window in windows(rows, 1_100)} == {(0, 1_100)}


def passage(text: str, score: float = 1.0) -> Passage:
    return Passage("d", "u", "t", "s", 0, len(text), text, None, None, score)


def test_a_passage_that_repeats_a_better_one_is_left_out() -> None:
    long = "the canary release sends one percent of the traffic to the new version for one whole hour or so today " * 2
    passages = [passage(long), passage(long + "again"), passage("something else entirely, about drift")]
    assert without_duplicates(passages, 0.9) == [passages[0], passages[2]]
    assert without_duplicates(passages, None) == passages


def test_diversity_moves_likeness_down_and_zero_changes_nothing() -> None:
    passages = [
        passage("canary traffic percent", 1.0),
        passage("canary traffic hour", 0.9),
        passage("drift index", 0.8),
    ]
    assert spread(passages, 0.0) == passages
    assert spread(passages, 0.5) == [passages[0], passages[2], passages[1]]


@given(
    st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=12).map(" ".join), max_size=8), st.floats(0.05, 1)
)
def test_the_shortcut_for_duplicates_finds_what_comparing_all_does(texts: list[str], similarity: float) -> None:
    def alike(one: str, other: str) -> float:
        a, b = (
            {" ".join(words[i : i + 5]) for i in range(max(1, len(words) - 4))}
            for words in (one.split(), other.split())
        )
        return len(a & b) / len(a | b)

    kept: list[str] = []
    for text in texts:
        if all(alike(text, other) < similarity for other in kept):
            kept.append(text)
    assert [found.text for found in without_duplicates([passage(text) for text in texts], similarity)] == kept
