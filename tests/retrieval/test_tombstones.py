"""Tombstones: a subject is told from all other text by keyed hashes alone, exactly."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.store.database import open_database
from retrieval.errors import KeyLost
from retrieval.folding import fold
from retrieval.store.tombstones import BYTES, DOCUMENT, SUBJECT, Tombstone, Tombstones, Watch

KEY = bytes(range(32))
MARKS = Tombstones.__new__(Tombstones)
MARKS._key = lambda: KEY


@given(st.text(min_size=1), st.text(), st.text())
def test_exactly_the_texts_that_contain_it_are_told(subject: str, before: str, after: str) -> None:
    if not fold(subject):
        return
    watch = Watch([MARKS.of_subject("R", "", subject)], MARKS._mark)
    for said in (before, after, f"{before} {subject} {after}", before + subject + after):
        assert bool(watch.text(said)) == (fold(subject) in fold(said)) or "%" in said or "&" in said or "\\" in said


def test_a_home_keeps_neither_words_nor_names(tmp_path: Path) -> None:
    stones = Tombstones(open_database(tmp_path), lambda: KEY)
    stones.add([stones.of_subject("R1", "", "Jane Q. Doe"), stones.of_bytes("R2", "one", "ab" * 32)])
    stones.add([Tombstone("R2", DOCUMENT, "one", "0123456789abcdef"), stones.of_subject("R9", "", "JANE Q. DOE")])
    assert [stone.kind for stone in stones.all()] == [SUBJECT, BYTES, DOCUMENT]
    data = b"".join(path.read_bytes() for path in tmp_path.iterdir()).lower()
    assert b"doe" not in data and b"abababab" not in data

    one, two = stones.watch("one"), stones.watch("two")
    assert one.text("x", "Ask Jane Q.\nDoe now") == two.text("jane q. doe") == "R1"
    assert one.document("0123456789abcdef", "") == one.document("", "ab" * 32) == "R2"
    assert two.document("0123456789abcdef", "ab" * 32) == ""
    assert stones.lift("R1") == 1 and stones.lift("R1") == 0
    assert stones.watch("one").text("Jane Q. Doe") == ""


def test_another_key_makes_other_hashes(tmp_path: Path) -> None:
    engine = open_database(tmp_path)
    mine, theirs = (Tombstones(engine, lambda key=key: key) for key in (KEY, bytes(32)))
    assert mine.of_subject("R", "", "Jane Q. Doe").mark != theirs.of_subject("R", "", "Jane Q. Doe").mark


def test_without_its_key_nothing_may_come_in(tmp_path: Path) -> None:
    engine = open_database(tmp_path)
    mine, theirs = (Tombstones(engine, lambda key=key: key) for key in (KEY, bytes(32)))
    assert theirs.watch("one").text("Jane Q. Doe") == ""
    mine.add([mine.of_subject("R", "", "Jane Q. Doe")])
    with pytest.raises(KeyLost, match="from a backup"):
        theirs.watch("one")
    mine.lift("R")
    assert theirs.watch("one").text("Jane Q. Doe") == ""
