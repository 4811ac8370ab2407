"""A chat turn, from question to verified answer, with scripted drafts."""

import asyncio

import pytest

from app.bootstrap import Services
from app.deciding.wording import ABSTENTION
from app.errors import ProviderError
from app.llm.scripted import ScriptedProvider
from app.types import ChatRequest, ClaimVerified, Finished, Message, PassagesFound, Reason
from retrieval.errors import CorpusNotFound
from tests.conftest import Build

QUESTION = "How much traffic does a canary release get?"
TRUE = "A canary release sends 1 percent of the traffic to the new version for one hour."


def with_draft(build_services: Build, corpus: Services, *drafts: str | Exception) -> Services:
    return build_services(provider=ScriptedProvider(drafts))


async def test_events_come_in_order_and_agree_with_the_result(build_services: Build, corpus: Services) -> None:
    services = with_draft(build_services, corpus, f"{TRUE} [1] Roll back within 5 minutes if the error rate doubles.")
    events = [event async for event in services.pipeline.events(ChatRequest(QUESTION))]
    assert [type(event) for event in events] == [PassagesFound, ClaimVerified, ClaimVerified, Finished]
    result = events[-1].result
    assert [e.claim for e in events if isinstance(e, ClaimVerified)] == list(result.claims)
    assert events[0].passages == result.passages
    assert result.answer == " ".join(claim.text for claim in result.claims)
    assert [result.answer[claim.start : claim.end] for claim in result.claims] == [c.text for c in result.claims]
    assert result.snapshot == corpus.corpora.active("default")
    assert set(result.timings_ms) == {"understand", "retrieve", "decide", "first_claim", "answer", "total"}


async def test_every_citation_quotes_the_canonical_text(build_services: Build, corpus: Services) -> None:
    services = with_draft(build_services, corpus, TRUE)
    result = await services.pipeline.run(ChatRequest(QUESTION))
    for claim in result.claims:
        for citation in claim.citations:
            _, version = services.corpora.version_in(citation.doc_id, citation.snapshot)
            text = services.corpora.document(citation.doc_id, version).parsed.text
            assert citation.quote == text[citation.start : citation.end]


async def test_an_invented_claim_is_dropped_and_the_true_one_stays(build_services: Build, corpus: Services) -> None:
    services = with_draft(build_services, corpus, f"The canary gets 40 percent. {TRUE}")
    result = await services.pipeline.run(ChatRequest(QUESTION))
    assert [claim.text for claim in result.claims] == [TRUE]
    assert result.dropped == ("The canary gets 40 percent.",)
    assert (result.reason, result.provider) == (Reason.ANSWERED, "scripted")


@pytest.mark.parametrize(
    ("draft", "reason"),
    [
        ("Elephants never forget their keys.", Reason.FELL_BACK),
        ("", Reason.FELL_BACK),
        (ProviderError("down"), Reason.PROVIDER_FAILED),
    ],
)
async def test_a_worthless_draft_falls_back_to_extraction(
    build_services: Build, corpus: Services, draft: str | Exception, reason: Reason
) -> None:
    services = with_draft(build_services, corpus, draft)
    result = await services.pipeline.run(ChatRequest("canary release traffic percent new version hour"))
    assert (result.reason, result.provider) == (reason, "extractive")
    assert TRUE in result.answer


async def test_a_question_that_nothing_answers_is_abstained_from(build_services: Build, corpus: Services) -> None:
    services = with_draft(build_services, corpus, "I don't know.")
    result = await services.pipeline.run(ChatRequest("Who painted the ceiling of the Sistine Chapel?"))
    assert result.abstained
    assert result.answer.startswith(ABSTENTION)
    assert (result.claims, result.reason) == ((), Reason.NOT_COVERED)


async def test_an_empty_corpus_is_an_error_not_an_answer(services: Services) -> None:
    with pytest.raises(CorpusNotFound):
        await services.pipeline.run(ChatRequest(QUESTION))


async def test_claims_are_bounded_and_never_repeated(build_services: Build, corpus: Services) -> None:
    services = with_draft(build_services, corpus, f"{TRUE} " * 50)
    result = await services.pipeline.run(ChatRequest(QUESTION))
    assert [claim.text for claim in result.claims] == [TRUE]


async def test_a_follow_up_is_searched_with_its_topic(build_services: Build, corpus: Services) -> None:
    provider = ScriptedProvider([TRUE])
    services = build_services(provider=provider)
    history = (Message("user", "What is a canary release?"), Message("assistant", "A small rollout."))
    await services.pipeline.run(ChatRequest("And how fast must it roll back?", history))
    asked = provider.history[0]
    assert asked.question == "What is a canary release? And how fast must it roll back?"
    assert "canary" in asked.passages[0].text.lower()


@pytest.mark.parametrize("piece", [1, 3, 7, 1000])
async def test_claims_do_not_depend_on_how_the_draft_is_cut(
    build_services: Build, corpus: Services, piece: int
) -> None:
    draft = f"{TRUE} E.g. nothing else is known. Roll back within 5 minutes if the error rate doubles."
    services = build_services(provider=ScriptedProvider([draft], piece_chars=piece))
    result = await services.pipeline.run(ChatRequest(QUESTION))
    assert [claim.text for claim in result.claims] == [TRUE, "Roll back within 5 minutes if the error rate doubles."]


async def test_turns_do_not_disturb_each_other(corpus: Services) -> None:
    questions = ["canary traffic percent", "population stability index alert", "time-series gap days"] * 5
    alone = [await corpus.pipeline.run(ChatRequest(question)) for question in questions]
    together = await asyncio.gather(*(corpus.pipeline.run(ChatRequest(question)) for question in questions))
    assert [r.answer for r in together] == [r.answer for r in alone]


async def test_a_turn_keeps_places_but_not_words(corpus: Services) -> None:
    secret = "canary traffic for jane.doe@example.com"
    await corpus.pipeline.run(ChatRequest(secret))
    raw = b"".join(path.read_bytes() for path in corpus.settings.home.glob("assay.db*"))
    assert b"jane.doe" not in raw
