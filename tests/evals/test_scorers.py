"""Scorers: values by hand, bounds and identities by property."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.scorers.abstention import abstention
from evals.scorers.answer_match import answer_match, normalised
from evals.scorers.citations import (
    citation_precision,
    citation_precision_alce,
    citation_recall,
    citation_recall_alce,
    quote_validity,
    span_f1,
)
from evals.scorers.grounding import claims_supported
from evals.scorers.retrieval import context_precision, mrr, passage_recall, recall_at
from tests.evals.conftest import ABSTAIN, TEXT, citation, evidence, make_case, make_result, passage

SPANS = st.lists(
    st.tuples(st.integers(0, len(TEXT) - 1), st.integers(1, 30))
    .map(lambda s: (s[0], min(len(TEXT), s[0] + s[1])))
    .filter(lambda s: bool(TEXT[s[0] : s[1]].strip())),
    min_size=1,
    max_size=5,
)
ANY = evidence()
PERFECT = (
    citation_precision,
    citation_recall,
    quote_validity,
    passage_recall,
    span_f1,
    claims_supported,
    citation_precision_alce,
    citation_recall_alce,
    recall_at(8),
    mrr,
    context_precision,
)


def gold(**parts: object) -> dict[str, object]:
    return {"action": "answer", "evidence": [{"uri": "canary.md", "quote": "x"}], **parts}


@pytest.mark.parametrize(
    ("answer", "parts", "score"),
    [
        ("Roll back within 5 minutes.", {"answers": ["5 minutes"]}, 1.0),
        ("Roll back within 15 minutes.", {"answers": ["5 minutes"]}, 0.0),
        ("Within FIVE; or 5\nMinutes", {"answers": ["ten", "5 minutes"]}, 1.0),
        ("About 18280 requests", {"answers": ["18,280 requests"]}, 1.0),
        ("Keep 20% of it", {"answers": ["20 percent"]}, 1.0),
        ("Keep 20 per cent of it", {"answers": ["20%"]}, 1.0),
        ("Train on 100% of it", {"answers": ["100"]}, 0.0),
        ("Use the Krippendorff alpha", {"answers": ["Krippendorff's alpha"]}, 1.0),
        ("They don’t fail", {"answers": ["don't fail"]}, 1.0),
        ("30 days, tenant", {"answers": ["30 days"], "must": ["30 days", "tenant"]}, 1.0),
        ("30 days", {"answers": ["30 days"], "must": ["30 days", "tenant"]}, 0.0),
        ("5 minutes, or never", {"answers": ["5 minutes"], "must_not": ["never"]}, 0.0),
    ],
)
def test_answers_match_by_words(answer: str, parts: dict[str, object], score: float) -> None:
    assert answer_match(make_case(gold=gold(**parts)), make_result(answer), ANY) == score


def test_an_abstention_is_no_answer_even_if_its_words_fit() -> None:
    case = make_case(gold=gold(answers=["know"]))
    assert answer_match(case, make_result(""), ANY) == 0.0


def test_answers_are_not_scored_where_none_is_due() -> None:
    assert answer_match(make_case(**ABSTAIN), make_result("5 minutes"), ANY) is None


@pytest.mark.parametrize(
    ("changes", "answer", "score"),
    [({}, "yes", 1.0), ({}, "", 0.0), (ABSTAIN, "yes", 0.0), (ABSTAIN, "", 1.0),
     ({"gold": {"action": "refuse"}}, "yes", None)],
)  # fmt: skip
def test_abstention(changes: dict[str, object], answer: str, score: float | None) -> None:
    assert abstention(make_case(**changes), make_result(answer), ANY) == score


def test_citations_by_hand() -> None:
    known = evidence((0, 40), (41, 62))
    result = make_result("x", cited=(citation(5, 10), citation(70, 80), citation(63, 70)))
    assert citation_precision(make_case(), result, known) == pytest.approx(1 / 3)
    assert citation_recall(make_case(), result, known) == 0.5


@pytest.mark.parametrize("cited", [(0, 40), (50, 60)])
def test_spans_that_only_touch_do_not_overlap(cited: tuple[int, int]) -> None:
    assert citation_recall(make_case(), make_result("x", cited=(citation(*cited),)), evidence((40, 50))) == 0.0


def test_the_same_characters_of_another_document_are_no_hit() -> None:
    result = make_result("x", cited=(citation(0, 40, doc_id="other"),))
    assert citation_precision(make_case(), result, evidence((0, 40))) == 0.0


def test_without_citations_there_is_recall_but_no_precision() -> None:
    assert citation_precision(make_case(), make_result(), evidence((0, 5))) is None
    assert citation_recall(make_case(), make_result(), evidence((0, 5))) == 0.0
    assert quote_validity(make_case(), make_result(), evidence((0, 5))) is None


def test_a_quote_off_by_one_is_invalid() -> None:
    wrong = citation(1, 10)
    shifted = make_result("x", cited=(type(wrong)(**{**_fields(wrong), "start": 0, "end": 9}), citation(0, 9)))
    assert quote_validity(make_case(), shifted, evidence((0, 9))) == 0.5


def test_a_quote_of_an_unknown_document_or_with_another_hash_is_invalid() -> None:
    good = citation(0, 9)
    forged = type(good)(**{**_fields(good), "quote_sha256": "0" * 64})
    assert quote_validity(make_case(), make_result("x", cited=(forged,)), evidence()) == 0.0
    assert quote_validity(make_case(), make_result("x", cited=(citation(0, 9, doc_id="z"),)), evidence()) == 0.0


def _fields(value: object) -> dict[str, object]:
    return {name: getattr(value, name) for name in value.__slots__}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("passages", "score"),
    [
        ([(0, 62)], 1.0),
        ([(0, 20), (20, 62)], 1.0),
        ([(0, 40), (41, 62)], 1.0),  # the space between two chunks belongs to neither
        ([(0, 39), (41, 62)], 0.0),  # a full stop is missing
        ([(0, 61)], 0.0),
        ([(70, 90)], 0.0),
        ([], 0.0),
    ],
)
def test_passages_hold_a_gold_span_wholly_or_not(passages: list[tuple[int, int]], score: float) -> None:
    result = make_result("x", passages=tuple(passage(a, b) for a, b in passages))
    assert passage_recall(make_case(), result, evidence((0, 62))) == score


@given(SPANS)
def test_citing_and_finding_exactly_the_gold_is_perfect(spans: list[tuple[int, int]]) -> None:
    quotes = tuple(citation(*span) for span in spans)
    result = make_result("5 minutes", cited=quotes, passages=tuple(passage(*span) for span in spans))
    for scorer in PERFECT:
        assert scorer(make_case(), result, evidence(*spans)) == 1.0


@given(SPANS, SPANS, SPANS)
def test_one_more_citation_never_lowers_recall(
    spans: list[tuple[int, int]], cited: list[tuple[int, int]], more: list[tuple[int, int]]
) -> None:
    few = make_result("x", cited=tuple(citation(*span) for span in cited))
    many = make_result("x", cited=tuple(citation(*span) for span in cited + more))
    known = evidence(*spans)
    low, high = citation_recall(make_case(), few, known), citation_recall(make_case(), many, known)
    assert low is not None
    assert high is not None
    assert low <= high


@given(st.text())
def test_normalising_is_idempotent(text: str) -> None:
    assert normalised(" ".join(normalised(text))) == normalised(text)
