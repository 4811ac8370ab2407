"""Sentences: in order, disjoint, exact."""

from hypothesis import given
from hypothesis import strategies as st

from app.sentences import sentences


@given(st.text(max_size=300) | st.text(alphabet="Ab. \n!?😀é。", max_size=200))
def test_sentences_hold_all_of_a_text_but_white_space(text: str) -> None:
    position = 0
    for start, end in sentences(text):
        assert position <= start < end
        assert not text[position:start].strip()
        assert text[start:end] == text[start:end].strip()
        position = end
    assert not text[position:].strip()


def test_abbreviations_and_numbers_do_not_end_a_sentence() -> None:
    text = "Dr. Smith uses e.g. 5.5 mg. It works (cf. Fig. 3).\nA line of its own"
    assert [text[a:b] for a, b in sentences(text)] == [
        "Dr. Smith uses e.g. 5.5 mg.",
        "It works (cf. Fig. 3).",
        "A line of its own",
    ]
