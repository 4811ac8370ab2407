"""Personal data by patterns and check digits: what is found, what is not taken for it, and that it ends in time."""

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.checks import pii
from guardrails.checks.pii import PiiPatterns
from guardrails.config import PiiSettings
from guardrails.errors import CheckFailed

pytest.importorskip("presidio_analyzer", reason="presidio-analyzer is not installed")
PATTERNS = PiiPatterns()


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("Write to jane.doe+x@mail.example.co.uk today.", "jane.doe+x@mail.example.co.uk", "EMAIL"),
        ("Call me on +49 30 901820 at noon", "+49 30 901820", "PHONE"),
        ("My phone: (212) 555-0187.", "(212) 555-0187", "PHONE"),
        ("IBAN DE89 3704 0044 0532 0130 00, thanks", "DE89 3704 0044 0532 0130 00", "IBAN"),
        ("card 4111 1111 1111 1111 exp 10/29", "4111 1111 1111 1111", "CREDIT_CARD"),
        ("from 2223003122003222 paid", "2223003122003222", "CREDIT_CARD"),
        ("Her SSN is 536-90-4399.", "536-90-4399", "US_SSN"),
        ("host 10.20.30.40 is down", "10.20.30.40", "IP_ADDRESS"),
        ("Steuer-ID 86095742719 liegt vor", "86095742719", "DE_TAX_ID"),
        ("Rentenversicherungsnummer 15070649C103", "15070649C103", "DE_SOCIAL_SECURITY"),
        ("NHS number 943 476 5919 of the patient", "943 476 5919", "UK_NHS"),
    ],
)
def test_it_is_found_whole(text: str, value: str, kind: str) -> None:
    assert [(text[f.start : f.end], f.kind) for f in PATTERNS.find(text)] == [(value, kind)]


@pytest.mark.parametrize(
    "text",
    [
        "Version 1.2.3 of 2024-05-17, 12:30:45, pages 100-120, 3,141,592.65 EUR, section 4.2.1.",
        "card 4111 1111 1111 1112",  # a wrong check digit
        "DE88 3704 0044 0532 0130 00",
        "Order 86095742719 was shipped",  # bare numbers need their word
        "f(x) = a@b and user@localhost",
    ],
)
def test_what_is_none_is_left_alone(text: str) -> None:
    assert PATTERNS.find(text) == []


def test_what_lies_across_two_windows_is_found_once_and_whole() -> None:
    value = "jane.doe@example.com"
    for shift in range(0, 60, 7):
        text = "x " * ((pii.WINDOW_CHARS - shift) // 2) + value + " y" * 400
        found = PATTERNS.find(text)
        assert [text[f.start : f.end] for f in found] == [value]


def test_denied_words_and_kinds_that_are_left() -> None:
    patterns = PiiPatterns(PiiSettings(deny=("Project Falcon", "Falcon"), leave=frozenset({"EMAIL"})))
    text = "project falcon: a@example.com; Falconry is fine"
    assert [(text[f.start : f.end], f.kind) for f in patterns.find(text)] == [("project falcon", "DENIED")]
    assert patterns.fingerprint != PATTERNS.fingerprint and "alcon" not in patterns.fingerprint


def test_a_pattern_out_of_time_fails_the_check() -> None:
    class Slow:
        def finditer(self, text: str, timeout: float) -> list[object]:
            raise TimeoutError

    patterns = PiiPatterns()
    patterns.__dict__["_recognizers"] = [("SLOW", None, [(Slow(), 1.0)])]
    with pytest.raises(CheckFailed, match="SLOW ran out of time") as raised:
        patterns.find("secret words")
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("evil", ["a@", "1 ", "+1-", "a.", "4111 ", "(0) ", "DE89 ", "x@x.", "-", "\n"])
def test_hostile_text_takes_no_longer_than_its_length_asks(evil: str) -> None:
    began = time.monotonic()
    PATTERNS.find(evil * (100_000 // len(evil)))
    assert time.monotonic() - began < 30  # seconds; a pattern that explodes takes hours


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet="a1@. -+(DE\n", max_size=300))
def test_finds_are_in_order_and_disjoint(text: str) -> None:
    found = PATTERNS.find(text)
    assert all(0 <= f.start < f.end <= len(text) for f in found)
    assert all(one.end <= other.start for one, other in itertools.pairwise(found))
