"""Traces: a long enough run of an erased text is found wherever and however it stands; what stays elsewhere is none."""

import html
import json
import random
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.folding import fold, readings
from retrieval.traces import LEAST, RUN, Traces

LETTERS = "abcdefgh ijklm nopq rstu vwxyz äöüßéñ ДЖЯ 王小明 ＡＢ ﬁ 0123456789 ,.;-\n"
TEXT = st.integers().map(lambda seed: "".join(random.Random(seed).choices(LETTERS, k=300)))


@given(TEXT, st.integers(0, 10_000), st.text(max_size=200), st.text(max_size=200))
def test_a_run_is_found_wherever_it_stands(text: str, at: int, before: str, after: str) -> None:
    folded = fold(text)
    start = at % (len(folded) - RUN)
    run = folded[start : start + RUN]
    if run == run.strip():
        assert Traces([], [text]).in_text(f"{before} {run} {after}")
    assert Traces([], [text]).in_text(before + text.upper() + after) or text.upper().casefold() != text.casefold()


@given(TEXT, TEXT)
def test_what_another_text_has_too_is_no_trace(own: str, other: str) -> None:
    traces = Traces([], [f"{own} {other}"])
    traces.share(other)
    assert not traces.in_text(other)
    if fold(own)[:RUN] not in fold(other):
        assert traces.in_text(f"{own} {other}")


@given(st.text(min_size=1), st.text(), st.text())
def test_a_word_is_found_in_every_way_of_writing_it(word: str, before: str, after: str) -> None:
    said = f" {word} "
    traces = Traces([word], [])
    for written in (
        said,
        json.dumps(said, ensure_ascii=False),
        json.dumps(said),
        html.escape(said),
        quote(said, errors="ignore"),
    ):
        if fold(word) and not any("\ud800" <= char <= "\udfff" for char in word):
            assert traces.in_text(f"{before}\n{written}\n{after}"), written


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ＪＡＮＥ", "jane"),
        ("Straße", "STRASSE"),
        ("a\u00adb", "ab"),
        ("e\u0301", "é"),
        ("x\n\t y", "x y"),
        ("ﬁn", "FIN"),
    ],
)
def test_folding(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert next(readings(text)) == fold(text)


def test_short_texts_are_looked_for_whole_and_the_shortest_not_at_all() -> None:
    short, shortest = "Drift is watched with an index.", "Yes."
    assert len(short) > LEAST > len(shortest)
    traces = Traces([], [short, shortest])
    assert traces.in_text(f"He said: {short.upper()}") and not traces.in_text("Yes. Drift is watched.")
    traces.share(f"… {short} …")
    assert not traces.in_text(short)


@given(TEXT, TEXT, TEXT, st.integers(0, 15))
def test_what_stays_is_no_trace_however_often_it_was_repeated(one: str, other: str, stays: str, shift: int) -> None:
    kept = f"{fold(other)[-8:]} {stays}"
    traces = Traces([], [f"{one} {stays}", f"{other} {stays}"])
    traces.share("k" * shift + kept)
    for moved in range(16):  # another place to look from, which may be in the other text
        assert not traces.in_text("x" * moved + kept)
