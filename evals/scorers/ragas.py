"""Metrics of ragas beside our own, under its names. The only door to ragas, which is an extra.

They are not driven by ragas' own runner, which patches the running event loop. None of them waits for anything here, so
each coroutine is taken to its end in one step.
"""

import math
import warnings
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel

from app.llm.structured import StructuredModel
from app.settings import set_offline_variables
from app.types import ChatResult
from evals.errors import EvalsError
from evals.golden.cases import Case
from evals.types import Evidence, Metric
from retrieval.embedders.port import Embedder

PIP_LINE = "pip install ragas==0.4.3 langchain-community==0.4.1 rapidfuzz==3.14.6 rouge-score==0.1.2 sacrebleu==2.6.0"
JUDGED = ("ragas_faithfulness", "ragas_answer_relevancy")

Value = TypeVar("Value")


def ragas_string_similarity(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """NonLLMStringSimilarity: 1 - normalised Levenshtein distance to the closest gold answer."""
    return _best_answer("NonLLMStringSimilarity", case, result)


def ragas_rouge(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """RougeScore: ROUGE-L F1 against the closest gold answer, with stemming."""
    return _best_answer("RougeScore", case, result)


def ragas_context_recall(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """NonLLMContextRecall: share of the gold evidence that some passage resembles by more than half, by edits."""
    return _contexts("NonLLMContextRecall", result, evidence)


def ragas_context_precision(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """NonLLMContextPrecisionWithReference: average precision of passages that resemble gold evidence."""
    return _contexts("NonLLMContextPrecisionWithReference", result, evidence)


def ragas_id_recall(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """IDBasedContextRecall by document: share of the documents with gold evidence that were found."""
    return _ids("IDBasedContextRecall", result, evidence)


def ragas_id_precision(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """IDBasedContextPrecision by document: share of the documents found that hold gold evidence."""
    return _ids("IDBasedContextPrecision", result, evidence)


def text_likeness() -> Mapping[str, Callable[[str, str], float]]:
    """The metrics of two texts that need no model, by name: (response, reference) -> score.

    Raises:
        EvalsError: As `load`.
    """
    load()
    return {
        "string_similarity": lambda said, of: _value("NonLLMStringSimilarity", reference=of, response=said),
        "rouge": lambda said, of: _value("RougeScore", reference=of, response=said),
    }


def load(cases: Sequence[Case] = ()) -> None:
    """Load ragas (seconds), for `Metric.prepare`.

    Raises:
        EvalsError: It, or a package that its metrics need, is not installed; the message holds the pip line.
    """
    _metrics()


def ragas_faithfulness(model: StructuredModel) -> Metric:
    """The metric of a judge: Faithfulness of ragas, the share of the answer's statements that the passages entail."""
    made = cache(lambda: _collections().Faithfulness(llm=_llm(model)))

    def score(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
        if result.abstained or not result.passages:
            return None
        contexts = [passage.text for passage in result.passages]
        asked = {"user_input": case.question, "response": result.answer, "retrieved_contexts": contexts}
        return float(_finish(made().ascore(**asked)).value)

    return Metric(score, prepare=load)


def ragas_answer_relevancy(model: StructuredModel, make_embedder: Callable[[], Embedder]) -> Metric:
    """The metric of a judge: AnswerRelevancy of ragas, how close the questions that the answer fits are to this one.

    An abstention where an answer was due is 0.
    """
    made = cache(lambda: _collections().AnswerRelevancy(llm=_llm(model), embeddings=_embeddings(make_embedder())))

    def score(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
        if case.gold.action != "answer":
            return None
        if result.abstained:
            return 0.0
        value = float(_finish(made().ascore(user_input=case.question, response=result.answer)).value)
        # A cosine: negative where they point apart, a hair above 1 by rounding; NaN stays NaN, which is a failure.
        return value if math.isnan(value) else min(1.0, max(0.0, value))

    return Metric(score, prepare=load)


def _best_answer(name: str, case: Case, result: ChatResult) -> float | None:
    if not case.gold.answers:
        return None
    if result.abstained:
        return 0.0
    return max(_value(name, reference=answer, response=result.answer) for answer in case.gold.answers)


def _contexts(name: str, result: ChatResult, evidence: Evidence) -> float | None:
    gold = [(evidence.text_of(span.doc_id) or "")[span.start : span.end] for span in evidence.spans]
    if not gold:
        return None
    if not result.passages:
        return 0.0  # ragas breaks on an empty list
    return _value(name, retrieved_contexts=[p.text for p in result.passages], reference_contexts=gold)


def _ids(name: str, result: ChatResult, evidence: Evidence) -> float | None:
    if not evidence.spans:
        return None
    if not result.passages:
        return 0.0
    found, gold = [p.doc_id for p in result.passages], [span.doc_id for span in evidence.spans]
    return _value(name, retrieved_context_ids=found, reference_context_ids=gold)


def _value(name: str, **sample: Any) -> float:
    from ragas.dataset_schema import SingleTurnSample

    return float(_finish(_metrics()[name]._single_turn_ascore(SingleTurnSample(**sample), [])))


def _finish(coroutine: Coroutine[Any, Any, Value]) -> Value:
    try:
        coroutine.send(None)
    except StopIteration as done:
        value: Value = done.value
        return value
    coroutine.close()
    raise RuntimeError("a metric of ragas waits for something: it cannot be run without an event loop")


@cache
def _metrics() -> Mapping[str, Any]:
    set_offline_variables()  # it holds the one that forbids ragas to report its use; ragas reads it once
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what its libraries deprecate is none of ours
            from ragas import metrics
            from ragas.dataset_schema import SingleTurnSample
            from ragas.metrics._context_precision import IDBasedContextPrecision
            from ragas.metrics._context_recall import IDBasedContextRecall

            class Similarity(metrics.NonLLMStringSimilarity):  # type: ignore[misc]
                """As it is, without the callbacks and the timer around each comparison, which want an event loop."""

                async def single_turn_ascore(self, sample: SingleTurnSample, *_: Any, **__: Any) -> float:
                    return float(await self._single_turn_ascore(sample, []))

            return {
                "NonLLMStringSimilarity": Similarity(),
                "RougeScore": metrics.RougeScore(),
                "NonLLMContextRecall": metrics.NonLLMContextRecall(_distance_measure=Similarity()),
                "NonLLMContextPrecisionWithReference": metrics.NonLLMContextPrecisionWithReference(
                    distance_measure=Similarity()
                ),
                "IDBasedContextRecall": IDBasedContextRecall(),
                "IDBasedContextPrecision": IDBasedContextPrecision(),
            }
    except ImportError as error:
        raise EvalsError(f"The scorers ragas_* need ragas ({error}). Run: {PIP_LINE}") from None


def _collections() -> Any:
    load()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ragas.metrics import collections
    return collections


def _llm(model: StructuredModel) -> Any:
    """A judge as ragas asks for it. ragas' own for local servers sends no schema; this one is bound to it."""
    from ragas.llms.base import InstructorBaseRagasLLM

    class Judge(InstructorBaseRagasLLM):  # type: ignore[misc]
        def generate(self, prompt: str, response_model: type[BaseModel]) -> BaseModel:
            return model.ask("Answer with JSON that fits the schema.", prompt, response_model)

        async def agenerate(self, prompt: str, response_model: type[BaseModel]) -> BaseModel:
            return self.generate(prompt, response_model)

    return Judge()


def _embeddings(embedder: Embedder) -> Any:
    from ragas.embeddings.base import BaseRagasEmbedding

    class Embeddings(BaseRagasEmbedding):  # type: ignore[misc]
        def embed_text(self, text: str, **_: Any) -> list[float]:
            return [float(x) for x in embedder.embed_query(text)]

        async def aembed_text(self, text: str, **_: Any) -> list[float]:
            return self.embed_text(text)

        async def aembed_texts(self, texts: list[str], **_: Any) -> list[list[float]]:
            return [self.embed_text(text) for text in texts]

    return Embeddings()
