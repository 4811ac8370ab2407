"""A language model as judge of correctness. Reported, never gated: see `JUDGED`, and agreement.py for its bias."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from string import Template
from typing import Literal, Protocol

import yaml
from pydantic import BaseModel, ConfigDict, Field

from app.llm.structured import StructuredModel
from app.types import ChatResult
from evals.errors import EvalsError
from evals.golden.cases import Case
from evals.types import Evidence, Metric

_SOURCE = files("evals.scorers").joinpath("prompts", "judge_correctness.md").read_bytes()
_, _FRONT, _BODY = _SOURCE.decode().split("---\n", 2)
_META: dict[str, object] = yaml.safe_load(_FRONT)
_SYSTEM, _USER = (part.strip() for part in _BODY.removeprefix("## System\n").split("\n## User\n"))

PROMPT_ID = f"{_META['id']}@{_META['version']}"
PROMPT_SHA256 = hashlib.sha256(_SOURCE).hexdigest()

_KEPT_VERDICTS = 16_384


class JudgeSettings(BaseModel):
    """Which model judges, and where it is reached; part of the suite, since another judge gives other scores."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str = Field(min_length=1, description="Of an OpenAI-compatible server that knows json_schema.")
    model: str = Field(min_length=1)
    timeout_s: float = Field(60.0, gt=0, description="For one verdict.")


class Judgement(BaseModel):
    """What a judge says; the reason comes first, so that the verdict follows from it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: str
    verdict: Literal["correct", "incorrect"]


class Judge(Protocol):
    """Says whether an answer is correct."""

    def judge(self, question: str, reference: str, answer: str) -> Judgement:
        """Judge one answer.

        Raises:
            ProviderError: There is no verdict.
        """
        ...


class LLMJudge:
    """A judge that is a language model, asked by the versioned prompt. Equal questions are asked once."""

    def __init__(self, model: StructuredModel) -> None:
        self.name = f"{model.name} by {PROMPT_ID} ({PROMPT_SHA256[:12]})"
        self._model = model
        self._asked = lru_cache(maxsize=_KEPT_VERDICTS)(self._ask)

    def judge(self, question: str, reference: str, answer: str) -> Judgement:
        """Judge one answer.

        Raises:
            ProviderError: The model could not be reached, or twice gave what is no verdict.
        """
        return self._asked(question, reference, answer)

    def _ask(self, question: str, reference: str, answer: str) -> Judgement:
        # Out of all that it fences: whoever wrote the answer could not know it, and an equal prompt stays equal.
        marker = hashlib.sha256("\0".join((question, reference, answer)).encode()).hexdigest()[:16]
        user = Template(_USER).substitute(marker=marker, question=question, reference=reference, answer=answer)
        return self._model.ask(_SYSTEM, user, Judgement)


def judge_correctness(judge: Judge) -> Metric:
    """The metric of a judge: 1 when it says that the answer is correct; an abstention where one was due is 0."""

    def score(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
        gold = case.gold
        if gold.action != "answer" or not (gold.must or gold.answers):
            return None
        if result.abstained:
            return 0.0
        return float(judge.judge(case.question, reference(case), result.answer).verdict == "correct")

    return Metric(score, binary=True)


def reference(case: Case) -> str:
    """The gold of a case as a judge reads it."""
    gold = case.gold
    lines = [f"- {answer}" for answer in gold.answers]
    if gold.must:
        lines += ["It must say all of:", *(f"- {part}" for part in gold.must)]
    if gold.must_not:
        lines += ["It must not say:", *(f"- {part}" for part in gold.must_not)]
    return "\n".join(lines)


def without_judge(name: str) -> Metric:
    """What stands for a judged metric until a judge is configured: it says so before the first case."""

    def refuse(*_: object) -> None:
        raise EvalsError(f"The scorer {name} needs a judge. Give the suite `judge: {{base_url: …, model: …}}`.")

    def prepare(cases: Sequence[Case]) -> None:
        refuse()

    return Metric(refuse, prepare=prepare)
