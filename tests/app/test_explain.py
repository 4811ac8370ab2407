"""What carries a claim is found by leaving passages out, and is the same as leaving them out by hand."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from app.bootstrap import Services
from app.explain import carried, explain_answer
from app.grounding.verify import Grounding
from app.llm.scripted import ScriptedProvider
from app.types import ChatRequest, ChatResult
from retrieval.types import Passage
from tests.conftest import Build

QUESTION = "canary release traffic percent new version hour"
SENTENCES = (
    "A canary release sends one percent of traffic.",
    "The canary release sends one percent of all traffic to it.",
    "Drift is watched with a stability index.",
    "Drift is not watched with a stability index.",
    "Roll back within 5 minutes if the error rate doubles.",
)


def passage(number: int, text: str) -> Passage:
    return Passage(f"d{number}", f"{number}.md", "", "s", 0, len(text), text, None, None, 1.0)


async def asked(services: Services) -> tuple[ChatRequest, ChatResult]:
    result = await services.pipeline.run(ChatRequest(QUESTION))
    request = ChatRequest(QUESTION)
    return replace(request, scope=replace(request.scope, snapshot=result.snapshot)), result


@given(st.lists(st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=3).map(" ".join), min_size=1, max_size=5))
def test_leaving_out_is_what_verification_says(texts: list[str]) -> None:
    grounding, passages = Grounding(), [passage(i, text) for i, text in enumerate(texts)]
    claims = [claim for sentence in SENTENCES if (claim := grounding.verify(sentence, passages))]
    for claim, row in zip(claims, carried(grounding, claims, passages), strict=True):
        for left, cell in enumerate(row):
            others = grounding.verify(claim.text, passages[:left] + passages[left + 1 :])
            alone = grounding.verify(claim.text, [passages[left]])
            assert cell.without == (others.support if others else None)
            assert cell.alone == (alone.support if alone else None)
            assert cell.without is None or cell.without <= claim.support
        assert sum(cell.cited for cell in row) == 1
        assert max(cell.alone or 0.0 for cell in row) == claim.support


async def test_the_passage_that_a_claim_needs_is_found(corpus: Services) -> None:
    request, result = await asked(corpus)
    found = await explain_answer(corpus.pipeline, request, result.claims, result.provider)
    assert found.claims == result.claims and found.passages == result.passages
    needed = [i for i, p in enumerate(found.passages) if p.uri == "canary.md"]
    for row in found.carried:
        assert [i for i, cell in enumerate(row) if cell.without is None] == needed
    assert len(found.redrafts) == len(found.passages)
    assert not found.redrafts[needed[0]].same
    assert set(found.redrafts[needed[0]].lost) == set(range(len(result.claims)))


async def test_the_words_of_an_answer_are_claims_again(corpus: Services) -> None:
    request, result = await asked(corpus)
    found = await explain_answer(corpus.pipeline, request, result.answer, result.provider)
    assert found.claims == tuple(replace(claim, highlight=None) for claim in result.claims)
    assert found.source == "the turn"


async def test_without_an_answer_the_question_is_answered_anew_and_not_kept(corpus: Services) -> None:
    request, result = await asked(corpus)
    kept = []

    async def record(*turn: object) -> None:
        kept.append(turn)

    found = await explain_answer(replace(corpus.pipeline, record=record), request, None)
    assert found.claims == result.claims and "anew" in found.source and kept == []


async def test_an_abstention_has_no_claims(corpus: Services) -> None:
    result = await corpus.pipeline.run(ChatRequest("zebra mortgage"))
    assert result.abstained
    found = await explain_answer(corpus.pipeline, ChatRequest("zebra mortgage"), result.answer, result.provider)
    assert found.claims == () and found.carried == ()


async def test_a_model_is_not_asked_again(corpus: Services, build_services: Build) -> None:
    model = ScriptedProvider(["If the error rate doubles, roll back within 5 minutes. [1]"])
    services = build_services(model)
    request, result = await asked(services)
    found = await explain_answer(services.pipeline, request, result.claims, result.provider)
    assert len(model.history) == 1 and found.redrafts == () and len(found.carried) == 1
