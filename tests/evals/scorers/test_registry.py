"""Every registered metric: its bounds on random results, what a suite makes of it, and that none is slow."""

import math
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from app.costs import Price, load_prices
from app.types import ChatResult, Claim, Usage
from evals.errors import EvalsError
from evals.scorers import JUDGED, SCORERS, cost_metric
from evals.scorers.judge import Judgement, LLMJudge, judge_correctness
from evals.scorers.semantic import semantic_similarity
from evals.scorers.utility import Utility
from evals.suites import Suite
from evals.types import Evidence, Metric
from retrieval.embedders.hashing import HashingEmbedder
from tests.evals.conftest import ABSTAIN, TEXT, citation, evidence, make_case, make_result, passage

JUDGE: dict[str, Any] = {"judge": {"base_url": "http://127.0.0.1:1/v1", "model": "m"}}
SPANS = st.lists(
    st.tuples(st.integers(0, len(TEXT) - 1), st.integers(1, 30)).map(lambda s: (s[0], min(len(TEXT), s[0] + s[1]))),
    max_size=5,
)
TEXTS = st.one_of(st.sampled_from(["", "5 minutes", "roll back, within 5 minutes.", "no"]), st.text(max_size=40))


class Yes:
    """A model that finds everything correct."""

    name = "yes"

    def ask(self, system: str, user: str, schema: type[BaseModel]) -> BaseModel:
        return Judgement(reason="", verdict="correct")


FAKED = {
    "semantic_similarity": semantic_similarity(HashingEmbedder),
    "judge_correctness": judge_correctness(LLMJudge(Yes())),  # type: ignore[arg-type]  -- one schema is enough here
    "cost_usd": cost_metric({"scripted*": Price(prompt=1, completion=2), **load_prices()}),
}
OFFLINE: dict[str, Metric] = {
    name: FAKED.get(name, metric) for name, metric in SCORERS.items() if not name.startswith("ragas_")
}


@st.composite
def cases(draw: st.DrawFn) -> Any:
    action = draw(st.sampled_from(["answer", "abstain", "clarify", "refuse", "redact"]))
    kind = draw(st.sampled_from(["answerable", "pii", "exfiltration", "jailbreak", "multi_turn"]))
    gold: dict[str, Any] = {"action": action, "must_not": draw(st.lists(TEXTS, max_size=2))}
    if action in ("answer", "redact"):
        gold |= {
            "answers": draw(st.lists(TEXTS, min_size=1, max_size=3)),
            "must": draw(st.lists(TEXTS, max_size=2)),
            "evidence": [{"uri": "canary.md", "quote": "x"}],
        }
    return make_case(kind=kind, gold=gold, slices=draw(st.sampled_from([["md"], ["benign"]])))


@st.composite
def results(draw: st.DrawFn) -> ChatResult:
    answer = draw(TEXTS)
    quotes = [citation(*span) for span in draw(SPANS)]
    made = make_result(answer, passages=tuple(passage(*span) for span in draw(SPANS)))
    cut = draw(st.integers(0, len(quotes)))
    claims = (Claim(answer, tuple(quotes[:cut]), draw(st.floats(0, 1))), Claim(TEXT, tuple(quotes[cut:]), 1.0))
    usage = Usage(draw(st.integers(0, 10**6)), draw(st.integers(0, 10**6)))
    provider = draw(st.sampled_from(["scripted", "extractive", "openai-compatible/gpt-4o", "openai-compatible/x"]))
    given_claims = claims if answer else ()
    return replace(
        made, claims=given_claims, dropped=tuple(draw(st.lists(TEXTS, max_size=2))), usage=usage, provider=provider
    )


@settings(max_examples=150, deadline=None)
@given(cases(), results(), SPANS)
def test_every_score_is_in_its_bounds_or_does_not_apply(
    case: Any, result: ChatResult, spans: list[tuple[int, int]]
) -> None:
    known: Evidence = evidence(*spans)
    for name, metric in OFFLINE.items():
        value = metric.score(case, result, known)
        assert value is None or metric.low <= value <= metric.high, name
        assert value is None or not metric.binary or value in (0.0, 1.0), name
        assert value == metric.score(case, result, known), f"{name} is not a pure function"


def test_scorers_are_cheap() -> None:
    long = TEXT * 20
    cited = tuple(citation(at, at + 108, long) for at in range(0, 540, 108))
    found = tuple(passage(at, at + 1000, long) for at in range(0, 1200, 150))
    result = make_result(" ".join(c.quote for c in cited), cited=cited, passages=found)
    gold = {"action": "answer", "answers": [TEXT] * 3, "must": ["5 minutes"], "must_not": ["canary-77-omega", "9"],
            "evidence": [{"uri": "canary.md", "quote": "x"}]}  # fmt: skip
    case, known = make_case(gold=gold, kind="exfiltration"), evidence((0, 108), (200, 300), text=long)
    for name, metric in OFFLINE.items():
        metric.score(case, result, known)
        took = min(_seconds(lambda m=metric: m.score(case, result, known)) for _ in range(5))  # type: ignore[misc]
        assert took < 0.005, f"{name}: {took * 1000:.2f} ms"


def _seconds(call: Any) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def test_lower_is_better_for_what_hurts() -> None:
    hurts = {name for name, metric in SCORERS.items() if metric.better == "lower"}
    assert hurts == {
        "dropped_share", "attack_success", "over_defence", "false_positive", "pii_leaks", "forbidden_tool_calls",
        "total_ms", "first_claim_ms", "prompt_tokens", "completion_tokens", "cost_usd",
    }  # fmt: skip


def suite(**stated: Any) -> Suite:
    return Suite.model_validate({"name": "s", "sets": ["tiny"], **stated})


def test_a_suite_makes_its_own_utility_and_costs() -> None:
    made = suite(scorers=["utility", "cost_usd"], utility={"right": 7.0, "leak": -99.0}).metrics(
        prices={"scripted-x": Price(prompt=1_000_000, completion=0)}
    )
    result = replace(make_result("5 minutes"), provider="scripted-x", usage=Usage(3, 4))
    assert made["utility"].score(make_case(), result, evidence()) == 7.0
    assert (made["utility"].low, made["utility"].high) == (-99.0, 7.0)
    assert made["cost_usd"].score(make_case(), result, evidence()) == 3.0
    assert made["cost_usd"].high == math.inf


def test_a_suite_keeps_the_order_of_its_scorers() -> None:
    names = ("mrr", "abstention", "cost_usd", "answer_match")
    assert tuple(suite(scorers=names).metrics()) == names


@pytest.mark.parametrize("name", sorted(JUDGED))
def test_a_judge_never_gates(name: str) -> None:
    for gate in ({"metrics": {name: {"margin": 0.1}}}, {"invariants": [name]}, {"slice_metrics": [name]}):
        with pytest.raises(ValidationError, match="never blocks a release"):
            suite(scorers=[name], gate=gate, **JUDGE)


@pytest.mark.parametrize("name", sorted(JUDGED))
def test_a_judged_scorer_wants_a_judge(name: str) -> None:
    with pytest.raises(ValidationError, match="need `judge"):
        suite(scorers=[name])
    prepare = SCORERS[name].prepare
    assert prepare is not None
    with pytest.raises(EvalsError, match="needs a judge"):
        prepare([])
    assert suite(scorers=[name], **JUDGE).metrics()[name].prepare is not prepare


def test_the_hash_of_a_suite_names_its_judge() -> None:
    one = suite(scorers=["judge_correctness"], **JUDGE)
    other = suite(scorers=["judge_correctness"], judge={**JUDGE["judge"], "model": "n"})
    assert one.sha256 != other.sha256


def test_the_matrix_is_finite() -> None:
    with pytest.raises(ValidationError):
        Utility(right=math.nan)


def test_an_abstaining_case_has_few_scores() -> None:
    case = make_case(**ABSTAIN)
    applied = {n for n, m in OFFLINE.items() if m.score(case, make_result(), evidence()) is not None}
    assert applied == {
        "abstention", "right_answer_or_abstention", "utility",
        "total_ms", "prompt_tokens", "completion_tokens", "cost_usd",
    }  # fmt: skip
