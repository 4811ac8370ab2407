"""Personal data and secrets, by their patterns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.review.scrub import luhn, scrub

CARD = "4111 1111 1111 1111"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mail jane.o'neil+x@mail.example.co.uk now", "Mail [email] now"),
        ("call +49 (0)89 123456-78 today", "call [phone] today"),
        ("call 555-867-5309.", "call [phone]."),
        ("call 089/1234567", "call [phone]"),
        ("from DE89 3704 0044 0532 0130 00 please", "from [iban] please"),
        ("from gb29nwbk60161331926819", "from [iban]"),
        (f"card {CARD}, thanks", "card [card], thanks"),
        ("card 4111-1111-1111-1111", "card [card]"),
        ("host 192.168.10.254:80 and fe80::1ff:fe23:4567:890a", "host [ip]:80 and [ip]"),
        ("key sk-abcdefgh12345678 and AKIAIOSFODNN7EXAMPLE", "key [secret] and [secret]"),
        ("my password is hunter2!", "my password is [secret]"),
        ("password: hunter2", "password: [secret]"),
        ("https://user:pw1234@host/x", "https://[secret]@host/x"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer [secret]"),
        ("-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----", "[secret]"),
        ("eyJhbGciOi.eyJzdWIi.c2ln", "[secret]"),
        ("d41d8cd98f00b204e9800998ecf8427e1", "[secret]"),
    ],
)
def test_what_has_a_pattern_goes(text: str, expected: str) -> None:
    assert scrub(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "How long should a canary release run, 30 minutes or 24 hours?",
        "In 2019-2024 the share rose from 12.5 % to 14.75 %.",
        "On 2026-11-23 and 23.11.2026 at 14:05 the job ran.",
        "Is the password policy of 12 characters enough?",
        "What does a 400 mean, and a 1,000,000 row table?",
        "Use version 3.11.7 of Python.",
        "The std::vector and a::b; ratio 1:2:3.",
        "splitting/time-series-splits.md",
    ],
)
def test_what_a_question_needs_stays(text: str) -> None:
    assert scrub(text) == text


def test_a_number_that_does_not_check_is_no_card() -> None:
    assert not luhn("4111111111111112") and luhn("79927398713")
    assert "[card]" not in scrub("order 4111111111111112")


@given(st.text(max_size=200))
def test_what_was_scrubbed_stays_as_it_is(text: str) -> None:
    assert scrub(scrub(text)) == scrub(text)


@given(st.text(alphabet="abc xyz.,", max_size=30), st.from_regex(r"[a-z]{1,8}@[a-z]{1,8}\.(com|org)", fullmatch=True))
def test_an_address_never_survives(around: str, address: str) -> None:
    assert address not in scrub(f"{around} {address} {around}")
