"""The metrics of ragas, where the extra is installed; and what is said where it is not."""

import asyncio
import importlib.util
import sys
from typing import Any

import pytest
from pydantic import BaseModel

from evals.errors import EvalsError
from evals.scorers import SCORERS, ragas
from retrieval.embedders.hashing import HashingEmbedder
from tests.evals.conftest import TEXT, citation, evidence, make_case, make_result, passage

needs_ragas = pytest.mark.skipif(importlib.util.find_spec("ragas") is None, reason="the extra `ragas` is not installed")
NON_LLM = sorted(name for name in SCORERS if name.startswith("ragas_") and name not in ragas.JUDGED)


class Scripted:
    """Answers each schema of ragas by its name."""

    name = "scripted"

    def __init__(self, **answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def ask(self, system: str, user: str, schema: type[BaseModel]) -> Any:
        self.asked.append(user)
        return schema.model_validate(self.answers[schema.__name__])


def test_without_ragas_the_pip_line_is_printed_before_the_first_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ragas", None)
    ragas._metrics.cache_clear()
    for name in NON_LLM:
        prepare = SCORERS[name].prepare
        assert prepare is not None
        with pytest.raises(EvalsError, match=r"Run: pip install ragas==0\.4\.3 langchain-community==0\.4\.1"):
            prepare([])
    ragas._metrics.cache_clear()


def score(name: str, result: Any, known: Any) -> float | None:
    return SCORERS[name].score(make_case(), result, known)


@needs_ragas
def test_values_by_hand() -> None:
    perfect = make_result("5 minutes", passages=(passage(0, 20), passage(0, 40)))
    assert score("ragas_string_similarity", perfect, evidence()) == 1.0
    assert score("ragas_string_similarity", make_result("5 minuten"), evidence()) == pytest.approx(8 / 9)
    assert score("ragas_rouge", make_result("in 5 minutes"), evidence()) == pytest.approx(0.8)
    assert score("ragas_context_recall", perfect, evidence((0, 40), (70, 100))) == 0.5
    assert score("ragas_context_precision", perfect, evidence((0, 40))) == pytest.approx(1.0)
    elsewhere = make_result("x", passages=(passage(0, 9, doc_id="other"), passage(0, 9)))
    assert score("ragas_id_precision", elsewhere, evidence((0, 9))) == 0.5
    assert score("ragas_id_recall", elsewhere, evidence((0, 9))) == 1.0


@needs_ragas
def test_bounds_and_what_does_not_apply() -> None:
    for name in NON_LLM:
        empty = score(name, make_result(), evidence((0, 9)))
        assert empty == 0.0, name
    contexts = [name for name in NON_LLM if "context" in name or "_id_" in name]
    assert [score(name, make_result("x"), evidence()) for name in contexts] == [None] * len(contexts)


@needs_ragas
async def test_they_run_inside_the_runners_event_loop_and_leave_it_as_it_is() -> None:
    result = make_result("5 minutes", passages=(passage(0, 40),))
    for name in NON_LLM:
        assert score(name, result, evidence((0, 40))) is not None
    assert not hasattr(asyncio, "_nest_patched"), "what nest_asyncio leaves behind where it was applied"


@needs_ragas
def test_nothing_is_reported() -> None:
    ragas.load()
    from ragas._analytics import do_not_track

    assert do_not_track() is True


@needs_ragas
def test_faithfulness_by_a_judge() -> None:
    verdicts = [{"statement": s, "reason": "", "verdict": v} for s, v in (("a", 1), ("b", 0), ("c", 1))]
    model = Scripted(
        StatementGeneratorOutput={"statements": ["a", "b", "c"]}, NLIStatementOutput={"statements": verdicts}
    )
    metric = ragas.ragas_faithfulness(model)
    result = make_result("5 minutes", cited=(citation(0, 9),), passages=(passage(0, len(TEXT)),))
    assert metric.score(make_case(), result, evidence()) == pytest.approx(2 / 3)
    assert TEXT in model.asked[1]
    assert metric.score(make_case(), make_result(), evidence()) is None


@needs_ragas
def test_answer_relevancy_by_a_judge() -> None:
    question = make_case().question
    same = Scripted(AnswerRelevanceOutput={"question": question, "noncommittal": 0})
    other = Scripted(AnswerRelevanceOutput={"question": "What do bananas cost?", "noncommittal": 0})
    evasive = Scripted(AnswerRelevanceOutput={"question": question, "noncommittal": 1})
    scores = [
        ragas.ragas_answer_relevancy(model, HashingEmbedder).score(make_case(), make_result("x"), evidence())
        for model in (same, other, evasive)
    ]
    assert scores[0] == pytest.approx(1.0)
    assert scores[1] is not None
    assert scores[1] < 0.5
    assert scores[2] == 0.0
    assert ragas.ragas_answer_relevancy(same, HashingEmbedder).score(make_case(), make_result(), evidence()) == 0.0
