"""Follow-ups carry their topic, questions that stand alone are left alone."""

from collections.abc import Sequence

import pytest

from app.bootstrap import Services
from app.budget import Budget
from app.conversation import Correction, RewriteByModel, correction, standalone, weigh_history
from app.errors import ProviderError
from app.llm.prompt import messages
from app.llm.scripted import ScriptedProvider
from app.settings import Settings
from app.types import ChatRequest, Message, Usage
from retrieval.types import Query
from tests.conftest import Build

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


INSTALL = (Message("user", "How do I install the agent on Windows?"), Message("assistant", "With the installer."))


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("no, I meant the Linux one", "How do I install the agent on Windows? the Linux one"),
        ("Sorry, I mean on Linux.", "How do I install the agent on Windows? on Linux."),
        ("No, not Windows, Linux", "How do I install the agent on Linux"),
        ("I meant on Linux, not Windows", "How do I install the agent on on Linux"),
        ("Actually, make that Linux", "How do I install the agent on Windows? Linux"),
    ],
)
async def test_a_correction_is_the_question_that_was_meant(said: str, meant: str) -> None:
    assert standalone(said, INSTALL) == meant
    found = await weigh_history(ChatRequest(said, INSTALL), Budget())
    assert (found.query, found.question) == (Query(meant), meant)


def test_what_follows_a_correction_is_about_what_was_meant() -> None:
    corrected = (*INSTALL, Message("user", "No, not Windows, Linux"), Message("assistant", "From the package."))
    assert standalone("And how do I remove it?", corrected) == (
        "How do I install the agent on Linux And how do I remove it?"
    )


@pytest.mark.parametrize(
    "question",
    [
        "Rather than a random split, what should I use?",
        "Is there no way to roll back?",
        "No rollback happened, why?",
        "Make it work how?",
        "What does 'I meant' mean?",
        "No, I meant",
    ],
)
def test_what_only_looks_like_a_correction_is_none(question: str) -> None:
    assert correction(question) is None


def test_a_correction_without_a_conversation_is_a_question() -> None:
    assert correction("I meant Linux") == Correction("Linux")
    assert standalone("I meant Linux", ()) == "I meant Linux"


FOLLOW_UP = ChatRequest("And for how long?", HISTORY)
ALONE = "How long does the canary stage of a release last?"


def rewriting(drafts: Sequence[str | Exception], timeout_s: float = 5.0, delay_s: float = 0.0) -> RewriteByModel:
    return RewriteByModel(ScriptedProvider(drafts, delay_s=delay_s, usage=Usage(40, 9)), timeout_s, 4_000)


async def test_a_model_writes_the_follow_up_anew() -> None:
    by_model = rewriting([f'\n"{ALONE}"\nBecause the topic is canaries.'])
    budget = Budget()
    found = await by_model.understand(FOLLOW_UP, budget)
    assert (found.query, found.question, budget.usage()) == (Query(ALONE), ALONE, Usage(40, 9))
    asked = by_model.provider.history[0]  # type: ignore[attr-defined]
    said = messages(asked)
    assert "rewrite the last question" in said[0]["content"] and said[1]["content"] == HISTORY[0].content
    assert "And for how long?" in said[-1]["content"]


@pytest.mark.parametrize("draft", ["", " ?! ", "word " * 2_000, ProviderError("down")])
async def test_without_a_usable_rewrite_the_history_is_weighed(draft: str | Exception) -> None:
    found = await rewriting([draft]).understand(FOLLOW_UP, Budget())
    assert found.query == Query(FOLLOW_UP.question, (HISTORY[0].content,))
    assert found.question == f"{HISTORY[0].content} {FOLLOW_UP.question}"


async def test_a_rewrite_that_takes_too_long_is_not_waited_for() -> None:
    found = await rewriting([ALONE], timeout_s=0.05, delay_s=5.0).understand(FOLLOW_UP, Budget())
    assert found.query == Query(FOLLOW_UP.question, (HISTORY[0].content,))


async def test_a_first_question_costs_no_call() -> None:
    budget = Budget()
    found = await rewriting([]).understand(ChatRequest(ALONE), budget)
    assert found.query == Query(ALONE) and budget.calls == []


async def test_the_turn_counts_what_the_rewrite_cost(
    build_services: Build, corpus: Services, settings: Settings
) -> None:
    chat = settings.chat.model_copy(update={"rewrite": "model"})
    provider = ScriptedProvider(["How much traffic does a canary release get?", "I don't know."], usage=Usage(10, 1))
    services = build_services(provider=provider, given=settings.model_copy(update={"chat": chat}))
    result = await services.pipeline.run(ChatRequest("And how much?", (Message("user", "What of canary releases?"),)))
    assert [request.prompt for request in provider.history] == ["standalone_question", "grounded_answer"]
    assert provider.history[1].question == "How much traffic does a canary release get?"
    assert result.usage == Usage(20, 2) and "1 percent" in result.answer
