"""Follow-ups carry their topic, questions that stand alone are left alone."""

import pytest

from app.conversation import standalone
from app.types import Message

HISTORY = (
    Message("user", "How large should the canary stage of a release be?"),
    Message("assistant", "One percent."),
)


@pytest.mark.parametrize(
    "question", ["And for how long?", "What about rollback of models?", "Why?", "How long does it last?"]
)
def test_a_follow_up_carries_the_last_question_that_stands_alone(question: str) -> None:
    assert standalone(question, HISTORY) == f"{HISTORY[0].content} {question}"


def test_a_chain_of_follow_ups_reaches_back_to_the_topic() -> None:
    chain = (*HISTORY, Message("user", "And for how long?"), Message("assistant", "An hour."))
    assert standalone("Why?", chain) == f"{HISTORY[0].content} Why?"


@pytest.mark.parametrize(
    "question", ["Which columns does a data contract for customer records name?", "What is the capital of France?"]
)
def test_a_question_of_its_own_is_left_alone(question: str) -> None:
    assert standalone(question, HISTORY) == question
    assert standalone("Why?", ()) == "Why?"
