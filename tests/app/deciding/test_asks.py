"""What a question asks for, read off its words."""

import pytest

from app.deciding.asks import Kind, kind_of, numbers, parts, points_back, shows


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("How many teams are in the league?", "number"),
        ("when was the bridge built", "time"),
        ("In which city does she live?", "place"),
        ("Who built it?", "person"),
        ("Why does it fail?", "reason"),
        ("How is the index kept?", "way"),
        ("Is the index kept?", "yes_no"),
        ("What is a canary?", "thing"),
        ("canary release", "thing"),
    ],
)
def test_kinds(question: str, kind: Kind) -> None:
    assert kind_of(question) == kind


def test_a_kind_is_seen_in_a_sentence() -> None:
    assert shows("number", "It takes 7 days.") and shows("number", "It takes seven days.")
    assert not shows("number", "It takes a while.")
    assert shows("time", "It was built in 1871.") and not shows("time", "It was built by monks.")
    assert shows("person", "It was built by Ada Byron.") and not shows("person", "It was built by monks.")
    assert shows("thing", "Anything.") is None


@pytest.mark.parametrize(
    ("question", "count"),
    [
        ("Where was the gin invented and where is it used today?", 2),
        ("What does it cost? Who pays for that?", 2),
        ("Who made bread and butter?", 1),
        ("What is drift and why?", 1),
        ("", 1),
    ],
)
def test_parts(question: str, count: int) -> None:
    assert len(parts(question)) == count


def test_pointing_back_needs_a_pointer_and_no_subject() -> None:
    assert points_back("How long do we keep it?")
    assert not points_back("How long do we keep audit logs of the payment service, and is it enough?")
    assert not points_back("How long are backups kept?")


def test_numbers_ignore_commas_between_thousands() -> None:
    assert numbers("1,000 of 3.5 in 2019.") == {"1000", "3.5", "2019"}
