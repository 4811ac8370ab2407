"""A conversation within a bound of tokens: never over it, never out of order, the topic kept."""

from hypothesis import given, settings
from hypothesis import strategies as st

from app.condensing import condensed
from app.tokens import count_tokens
from app.types import Message

MESSAGES = st.lists(st.builds(Message, st.sampled_from(["user", "assistant"]), st.text(max_size=120)), max_size=12).map(
    tuple
)


@given(MESSAGES, st.integers(1, 150))
@settings(max_examples=150, deadline=None)
def test_it_is_within_the_bound_in_order_and_the_same_again(history: tuple[Message, ...], bound: int) -> None:
    kept = condensed(history, bound)
    assert sum(count_tokens(message.content) for message in kept) <= bound
    rest = iter(history)
    for message in kept:
        assert any(message.role == one.role and one.content.startswith(message.content) for one in rest)
    assert condensed(kept, bound) == kept


def test_a_short_conversation_is_left_alone() -> None:
    history = (Message("user", "What is drift?"), Message("assistant", "A change of the data."))
    assert condensed(history, 100) == history


def test_of_older_turns_the_questions_stay_and_the_answers_go() -> None:
    long = "A canary release sends one percent of the traffic to the new version. " * 20
    turns = [(Message("user", f"Question number {number}?"), Message("assistant", long)) for number in range(8)]
    history = tuple(message for turn in turns for message in turn)
    kept = condensed(history, 1_000)
    assert [m.content for m in kept if m.role == "user"] == [m.content for m in history if m.role == "user"]
    assert 0 < sum(m.role == "assistant" for m in kept) < 8
    assert kept[-1] == history[-1]


def test_a_last_message_that_is_too_long_keeps_its_beginning() -> None:
    kept = condensed((Message("user", "What is drift?"), Message("assistant", "word " * 5_000)), 300)
    assert kept[0].content == "What is drift?"
    assert kept[1].content.startswith("word word") and count_tokens(kept[1].content) <= 200
