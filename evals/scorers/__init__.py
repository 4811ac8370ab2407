"""Scorers by name. One subject a file; adding one is copying one and naming it here."""

import math
from collections.abc import Mapping
from typing import Literal

from app.costs import Price, load_prices
from app.llm.structured import StructuredModel
from evals.scorers import efficiency, guard, pii, ragas, text, tools
from evals.scorers.abstention import abstention, right_answer_or_abstention
from evals.scorers.answer_match import answer_match
from evals.scorers.citations import (
    citation_precision,
    citation_precision_alce,
    citation_recall,
    citation_recall_alce,
    quote_validity,
    span_f1,
    whole_quotes,
)
from evals.scorers.forbidden import must_not
from evals.scorers.grounding import claims_supported, dropped_share
from evals.scorers.judge import LLMJudge, judge_correctness, without_judge
from evals.scorers.retrieval import context_precision, mrr, ndcg_at_8, passage_recall, recall_at
from evals.scorers.semantic import semantic_similarity
from evals.scorers.utility import Utility, utility
from evals.types import Metric, Scorer
from retrieval.embedders.minilm import MiniLM

JUDGED = frozenset({"judge_correctness", *ragas.JUDGED})
"""Metrics by the word of a language model. A judge never blocks a release: no gate may name them."""


def cost_metric(prices: Mapping[str, Price]) -> Metric:
    """Dollars of a turn by a price table."""
    return _spent(efficiency.cost_usd(prices), "USD")


def judged(model: StructuredModel) -> Mapping[str, Metric]:
    """The metrics of `JUDGED`, asked of a model."""
    return {
        "judge_correctness": judge_correctness(LLMJudge(model)),
        "ragas_faithfulness": ragas.ragas_faithfulness(model),
        "ragas_answer_relevancy": ragas.ragas_answer_relevancy(model, MiniLM),
    }


def _flag(score: Scorer, better: Literal["higher", "lower"] = "higher") -> Metric:
    return Metric(score, better=better, binary=True)


def _spent(score: Scorer, unit: str) -> Metric:
    return Metric(score, better="lower", high=math.inf, unit=unit)


def _of_ragas(score: Scorer) -> Metric:
    return Metric(score, prepare=ragas.load)


SCORERS: Mapping[str, Metric] = {
    "recall_at_1": Metric(recall_at(1)),
    "recall_at_3": Metric(recall_at(3)),
    "recall_at_8": Metric(recall_at(8)),
    "ndcg_at_8": Metric(ndcg_at_8),
    "mrr": Metric(mrr),
    "context_precision": Metric(context_precision),
    "passage_recall": Metric(passage_recall),
    "answer_match": _flag(answer_match),
    "exact_match": _flag(text.exact_match),
    "token_f1": Metric(text.token_f1),
    "rouge_l": Metric(text.rouge_l),
    "semantic_similarity": semantic_similarity(MiniLM),
    "must_score": Metric(text.must_score),
    "must_not": _flag(must_not),
    "quote_validity": Metric(quote_validity),
    "whole_quotes": Metric(whole_quotes),
    "citation_precision": Metric(citation_precision),
    "citation_recall": Metric(citation_recall),
    "citation_precision_alce": Metric(citation_precision_alce),
    "citation_recall_alce": Metric(citation_recall_alce),
    "span_f1": Metric(span_f1),
    "claims_supported": Metric(claims_supported),
    "dropped_share": Metric(dropped_share, better="lower"),
    "abstention": _flag(abstention),
    "right_answer_or_abstention": _flag(right_answer_or_abstention),
    "attack_success": _flag(guard.attack_success, "lower"),
    "over_defence": _flag(guard.over_defence, "lower"),
    "false_positive": _flag(guard.false_positive, "lower"),
    "pii_leaks": _flag(pii.pii_leaks, "lower"),
    "tool_calls_right": Metric(tools.tool_calls_right),
    "tool_arguments_right": Metric(tools.tool_arguments_right),
    "forbidden_tool_calls": _flag(tools.forbidden_tool_calls, "lower"),
    "total_ms": _spent(efficiency.total_ms, "ms"),
    "first_claim_ms": _spent(efficiency.first_claim_ms, "ms"),
    "prompt_tokens": _spent(efficiency.prompt_tokens, "tokens"),
    "completion_tokens": _spent(efficiency.completion_tokens, "tokens"),
    "cost_usd": cost_metric(load_prices()),
    "utility": utility(Utility()),
    "ragas_string_similarity": _of_ragas(ragas.ragas_string_similarity),
    "ragas_rouge": _of_ragas(ragas.ragas_rouge),
    "ragas_context_recall": _of_ragas(ragas.ragas_context_recall),
    "ragas_context_precision": _of_ragas(ragas.ragas_context_precision),
    "ragas_id_recall": _of_ragas(ragas.ragas_id_recall),
    "ragas_id_precision": _of_ragas(ragas.ragas_id_precision),
    **{name: without_judge(name) for name in sorted(JUDGED)},
}
"""By name. `Suite.metrics` puts a suite's own in the place of utility, cost_usd and those that need a judge."""
