"""Answers against gold answers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.bench.wording import contains_gold, exact_match, token_f1

TEXTS = st.text(alphabet="ab c.1", max_size=20)


def test_exact_match_forgives_how_it_is_written() -> None:
    assert exact_match("The 1,000 users!", ["nobody", "1000 users"]) == 1.0
    assert exact_match("1000 users more", ["1000 users"]) == 0.0
    assert exact_match("", ["1000 users"]) == 0.0


def test_token_f1_is_the_value_computed_by_hand() -> None:
    assert token_f1("red red car", ["red car drives"]) == pytest.approx(2 * 2 / (3 + 3))
    assert token_f1("car", ["boat", "red car"]) == pytest.approx(2 / 3)
    assert token_f1("", ["boat"]) == 0.0


def test_gold_is_contained_word_by_word() -> None:
    assert contains_gold("It gave up 308 points.", ["308"]) == 1.0
    assert contains_gold("It gave up 1308 points.", ["308"]) == 0.0
    assert contains_gold("points 308", ["308 points"]) == 0.0


def test_a_gold_answer_without_words_matches_nothing() -> None:
    for score in (exact_match, token_f1, contains_gold):
        assert score("", ["…"]) == 0.0


@settings(deadline=None)  # a busy machine is no failure
@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=3))
def test_scores_are_bounded_and_ordered(said: str, golds: list[str]) -> None:
    exact, f1, holds = (score(said, golds) for score in (exact_match, token_f1, contains_gold))
    assert 0.0 <= exact <= f1 <= 1.0
    assert exact <= holds <= 1.0
