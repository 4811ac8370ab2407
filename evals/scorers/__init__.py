"""Scorers by name. One file each; adding one is copying one and naming it here."""

from collections.abc import Mapping

from evals.scorers.abstention import abstention
from evals.scorers.answer_match import answer_match
from evals.scorers.citations import citation_precision, citation_recall, quote_validity
from evals.scorers.retrieval import passage_recall
from evals.types import Scorer

SCORERS: Mapping[str, Scorer] = {
    "answer_match": answer_match,
    "citation_precision": citation_precision,
    "citation_recall": citation_recall,
    "quote_validity": quote_validity,
    "passage_recall": passage_recall,
    "abstention": abstention,
}
