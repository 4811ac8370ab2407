"""Two questions are one only if nothing that tells differs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.caching.agreement import agree

BASE = "How many examples does a test set need for a class?"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (BASE, "Could you please tell me how many examples a test set needs for a class?"),
        ("What is data encryption?", "Could you explain what data encryption is?"),
        ("What flows between Bingen and Bonn?", "what flows between the Bingen and Bonn"),
        ("What is drift?", "What is drift, please?"),
        ("How do I create a cluster?", "how to create a cluster."),
    ],
)
def test_politeness_and_forms_of_words_do_not_count(one: str, other: str) -> None:
    assert agree(one, other) and agree(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("When was the paper published?", "Who published the paper?"),
        ("When did the last glacial end?", "When did the last glacial start?"),
        ("Who is the chair of the IPCC?", "Who is the vice-chair of the IPCC?"),
        ("Is A-1 cheaper than B-2?", "Is B-2 cheaper than A-1?"),
        ("Does Postgres beat SQLite?", "Does SQLite beat Postgres?"),
        ("May I deploy on Friday?", "May I not deploy on Friday?"),
        ("What does version 3.1 need?", "What does version 3.10 need?"),
        ("How long does it take?", "How often does it take?"),
        ("What does it cost in 2024?", "What does it cost in 2023?"),
        ("Can you deploy models?", "Can you deploy models without tests?"),
    ],
)
def test_what_tells_counts(one: str, other: str) -> None:
    assert not agree(one, other) and not agree(other, one)


@given(st.text(max_size=60), st.text(max_size=60))
def test_it_is_symmetric_and_reflexive(one: str, other: str) -> None:
    assert agree(one, one)
    assert agree(one, other) == agree(other, one)
