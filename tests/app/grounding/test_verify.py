"""Grounding: a claim is tied to characters of a source that really support it, or it goes."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.grounding.verify import Grounding
from retrieval.types import Passage, Place

TEXT = (
    "A canary release sends 1 percent of the traffic to the new version. "
    "The team must not skip the canary. Roll back within 5 minutes if errors double, or lose 1,000.50 euros."
)
OFFSET = 37
GROUNDING = Grounding(0.7)


def passage(text: str = TEXT, start: int = OFFSET) -> Passage:
    return Passage("d1", "canary.md", "Canary", "s1", start, start + len(text), text, "2", "Release", 1.0)


@pytest.mark.parametrize(
    "claim",
    [
        "A canary release sends 1 percent of the traffic to the new version.",
        "A canary release sends 1 percent of traffic to the new version [1].",
        "Canary releases send 1 percent of the traffic to a new version. [1, 2]",
        "Roll back within 5 minutes if the errors double.",
        "Roll back within 5 minutes if errors double or lose 1000.50 euros.",
    ],
)
def test_a_supported_claim_is_cited_exactly(claim: str) -> None:
    verified = GROUNDING.verify(claim, [passage()])
    assert verified is not None
    citation = verified.citations[0]
    assert citation.quote == TEXT[citation.start - OFFSET : citation.end - OFFSET]
    assert citation.quote_sha256 == hashlib.sha256(citation.quote.encode()).hexdigest()
    assert "[" not in verified.text


@pytest.mark.parametrize(
    "claim",
    [
        "A canary release sends 2 percent of the traffic to the new version.",  # another number
        "A canary release does not send 1 percent of the traffic to the new version.",  # negated
        "The team must skip the canary.",  # a negation lost
        "skip the canary.",  # half a sentence can say the opposite
        "Yes.",
        "a",
        "Blue-green deployment keeps two environments alive.",  # not there
        "I don't know.",
        "[1]",
        "",
    ],
)
def test_what_the_source_does_not_say_is_dropped(claim: str) -> None:
    assert GROUNDING.verify(claim, [passage()]) is None


def test_two_neighbouring_sentences_may_support_one_claim() -> None:
    text = "The canary starts on Monday. It ends on Friday after 4 days."
    verified = GROUNDING.verify("The canary starts on Monday and ends on Friday after 4 days.", [passage(text, 0)])
    assert verified is not None
    assert verified.citations[0].quote == text


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("The timeout is 7 seconds.", "The timeout is 5 seconds. The retry limit is 7 attempts."),
        ("It needs Python 3.1.", "It needs Python 3.10."),
        ("The limit is 500", "The limit is 5000 requests."),
        ("The offset is 5 degrees.", "The offset is -5 degrees."),
        ("Yes", "Yesterday the canary failed."),
        ("store passwords in plain text.", "You must never store passwords in plain text."),
    ],
)
def test_a_near_miss_is_a_miss(claim: str, source: str) -> None:
    assert GROUNDING.verify(claim, [passage(source, 0)]) is None


def test_the_shortest_supporting_span_wins() -> None:
    verified = GROUNDING.verify("Roll back within 5 minutes when errors double", [passage()])
    assert verified is not None
    assert verified.citations[0].quote.startswith("Roll back")


def test_a_citation_names_the_page_of_its_own_first_character() -> None:
    text = "The canary starts small. The ramp ends on Friday."
    turned = replace(passage(text, 100), places=(Place(100 + text.index("The ramp"), "3", "Ramp"),))
    first, second = (
        GROUNDING.verify(claim, [turned]) for claim in ("The canary starts small.", "The ramp ends on Friday.")
    )
    assert first is not None and second is not None
    assert (first.citations[0].page, first.citations[0].section) == ("2", "Release")
    assert (second.citations[0].page, second.citations[0].section) == ("3", "Ramp")


@given(st.text(max_size=200), st.text(max_size=80))
def test_quotes_are_exact_for_any_text(text: str, claim: str) -> None:
    verified = Grounding(0.5).verify(claim, [passage(text, 5)])
    if verified is not None:
        citation = verified.citations[0]
        assert citation.quote == text[citation.start - 5 : citation.end - 5] != ""
        assert 0.5 <= verified.support <= 1


@given(st.sampled_from(["3", "0.5", "12,000", "2027"]))
def test_a_number_that_is_not_in_the_source_never_passes(number: str) -> None:
    claim = f"A canary release sends {number} percent of the traffic to the new version."
    assert GROUNDING.verify(claim, [passage()]) is None
