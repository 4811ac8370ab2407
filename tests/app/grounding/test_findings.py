"""Verdicts and their reasons; claims of several spans; sources in conflict."""

import json
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import app.grounding
from app.grounding.support import Features, probability, read, shipped
from app.grounding.verify import Grounding
from app.types import Verdict
from retrieval.types import Passage

GROUNDING = Grounding(0.7)


def passage(text: str, doc_id: str = "d1", title: str = "Canary") -> Passage:
    return Passage(doc_id, f"{doc_id}.md", title, "s1", 0, len(text), text, None, "Release", 1.0)


SOURCE = passage(
    "A canary release sends 1 percent of the traffic to the new version for one hour. It must not be skipped. "
    "Latency increased after the migration of Berlin to the new cluster."
)


@pytest.mark.parametrize(
    ("claim", "verdict", "why"),
    [
        ("A canary release sends 1 percent of traffic to the new version.", Verdict.SUPPORTED, ""),
        ("A canary release sends 9 percent of traffic to the new version.", Verdict.CONTRADICTED, "say 9 %"),
        ("A canary release sends 1 percent of traffic to it for two hours.", Verdict.CONTRADICTED, "say 2 h"),
        ("A canary release never sends 1 percent of the traffic to the new version.", Verdict.CONTRADICTED, "negated"),
        ("Latency decreased after the migration of Berlin to the new cluster.", Verdict.CONTRADICTED, "not 'decreas'"),
        ("Latency increased after the migration of Munich to the new cluster.", Verdict.UNSUPPORTED, "Munich"),
        ("Elephants remember everything for decades.", Verdict.UNSUPPORTED, "no source"),
        ("The canary version handles payments, refunds and invoices of the traffic.", Verdict.PARTLY, "'handl payment"),
        ("A canary release sends 1 percent of traffic and regardless counts.", Verdict.PARTLY, "end with"),
        ("The traffic sends a new version of 1 percent to the canary release.", Verdict.PARTLY, "another order"),
    ],
)
def test_a_statement_gets_a_verdict_and_a_reason(claim: str, verdict: Verdict, why: str) -> None:
    finding = GROUNDING.judge(claim, [SOURCE])
    assert (finding.verdict, finding.claim is not None) == (verdict, verdict is Verdict.SUPPORTED)
    assert why in finding.why


def test_a_claim_may_need_spans_of_two_documents() -> None:
    other = passage("The ramp of the payment service lasts three days.", "d2", "Ramp")
    claim = "A canary release sends 1 percent of the traffic to the new version, the ramp of the payment service lasts."
    found = GROUNDING.judge(claim, [SOURCE, other]).claim
    assert found is not None
    assert [citation.doc_id for citation in found.citations] == ["d1", "d2"]


def test_no_span_is_cited_that_adds_nothing() -> None:
    copy = passage(SOURCE.text, "d2")
    found = GROUNDING.judge("A canary release sends 1 percent of traffic to the new version", [SOURCE, copy]).claim
    assert found is not None and len(found.citations) == 1


def test_the_supported_clause_of_a_sentence_stays() -> None:
    kept, cut = GROUNDING.parts(
        "A canary release sends 1 percent of the traffic to the new version, and unicorns approve every deployment.",
        [SOURCE],
    )
    assert kept.claim is not None and kept.text == "A canary release sends 1 percent of the traffic to the new version"
    assert cut.claim is None and cut.text == "unicorns approve every deployment."


def test_sources_in_conflict_are_both_named() -> None:
    old = passage("A canary release sends 5 percent of the traffic to the new version for one hour.", "d2", "Old")
    found = GROUNDING.judge("A canary release sends 1 percent of the traffic to the new version.", [SOURCE, old]).claim
    assert found is not None
    assert [citation.doc_id for citation in found.citations] == ["d1"]
    assert [citation.quote for citation in found.conflicts] == [old.text]


def test_a_source_about_something_else_is_no_conflict() -> None:
    other = passage("A blue-green release sends 100 percent of the users to another cluster.", "d2", "Blue-green")
    found = GROUNDING.judge(
        "A canary release sends 1 percent of the traffic to the new version.", [SOURCE, other]
    ).claim
    assert found is not None and not found.conflicts


@given(st.text(max_size=120), st.lists(st.text(max_size=120), max_size=3))
def test_any_text_gets_exact_quotes_or_a_reason(claim: str, texts: list[str]) -> None:
    passages = [passage(text, f"d{i}") for i, text in enumerate(texts)]
    for finding in Grounding(0.3).parts(claim, passages):
        if finding.claim is None:
            assert finding.why
        else:
            for citation in (*finding.claim.citations, *finding.claim.conflicts):
                assert passages[int(citation.doc_id[1:])].text[citation.start : citation.end] == citation.quote != ""


@given(st.text(max_size=200), st.lists(st.text(max_size=200), min_size=1, max_size=3))
def test_probabilities_and_shares_stay_in_bounds(claim: str, spans: list[str]) -> None:
    features = read(claim, spans, spans[0])
    assert 0 <= probability(features) <= 1
    shares = (features.words_held, features.closest_held, features.pairs_held, features.grams_held, features.run_held)
    assert all(0 <= share <= 1 for share in shares)


def test_the_weights_fit_the_features() -> None:
    stored = json.loads((Path(app.grounding.__file__).parent / "support.json").read_text("utf-8"))
    assert stored["features"] == [field.name for field in fields(Features)]
    assert {len(weights.weights) for weights in shipped().values()} == {len(fields(Features))}


def test_the_end_of_a_sentence_that_runs_on_is_no_sentence() -> None:
    """However long it is, it is read as one: its beginning may negate its end."""
    head = "You must never " + "and under no circumstances " * 40
    runs_on = head[:1000].ljust(1000) + "store passwords in plain text."
    assert GROUNDING.judge("store passwords in plain text.", [passage(runs_on)]).claim is None
