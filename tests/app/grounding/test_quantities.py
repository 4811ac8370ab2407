"""Numbers, dates and units: what is the same however it is written, and what is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.grounding.quantities import missing, quantities


def agree(claim: str, source: str) -> bool:
    return not missing(quantities(claim), quantities(source))


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("1,000.00 euros", "1000 euros"),
        ("17 %", "17 percent"),
        ("five minutes", "5 minutes"),
        ("It takes 5", "It takes 5 minutes"),
        ("on March 5, 2024", "on 5 March 2024"),
        ("on 2024-03-05", "on the 5th of March 2024"),
        ("€20", "20 euros"),
        ("No number at all", ""),
        ("one of them", "some of them"),
    ],
)
def test_the_same_quantity_written_in_two_ways(claim: str, source: str) -> None:
    assert agree(claim, source)


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("5 hours", "5 minutes"),
        ("5 GB", "5 MB"),
        ("17 %", "17 euros"),
        ("3.1", "3.10"),
        ("-5 degrees", "5 degrees"),
        ("six attempts", "five attempts"),
        ("March 6, 2024", "March 5, 2024"),
        ("March 5, 2023", "March 5, 2024"),
        ("one hour", "2 hours"),
    ],
)
def test_another_quantity(claim: str, source: str) -> None:
    assert not agree(claim, source)


@given(st.text(max_size=80))
def test_every_text_agrees_with_itself(text: str) -> None:
    assert agree(text, text)


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_two_numbers_agree_only_if_they_are_one(a: int, b: int) -> None:
    assert agree(f"It costs {a:,} euros.", f"It costs {b} euros.") == (a == b)
