"""Gold quotes become characters of the canonical text, or an error that names the case."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.errors import CorpusNotReady, EvidenceError
from evals.golden.sets import load_golden_set
from evals.running.corpus import ready_corpus
from evals.running.evidence import SnapshotTexts, find, resolve
from tests.conftest import Build
from tests.evals.conftest import QUOTE, make_case


@pytest.fixture
def texts(golden_root, build_services: Build) -> SnapshotTexts:
    return ready_corpus(build_services(), load_golden_set(golden_root, "tiny"), None)


def test_evidence_is_found_at_its_characters(texts: SnapshotTexts) -> None:
    [span] = resolve(make_case(), texts).spans
    text = texts.text_of(span.doc_id)
    assert text is not None
    assert text[span.start : span.end] == QUOTE


def test_white_space_between_words_does_not_matter(texts: SnapshotTexts) -> None:
    gold = {
        "action": "answer",
        "answers": ["x"],
        "evidence": [{"uri": "canary.md", "quote": QUOTE.replace(" ", "\n ")}],
    }
    assert resolve(make_case(gold=gold), texts).spans == resolve(make_case(), texts).spans


@pytest.mark.parametrize(
    ("uri", "quote", "why"),
    [
        ("canary.md", "It is not there.", "does not stand there"),
        ("canary.md", "o", "stands in"),
        ("gone.md", QUOTE, "there is no document 'gone.md'"),
    ],
)
def test_evidence_that_does_not_match_names_the_case(texts: SnapshotTexts, uri: str, quote: str, why: str) -> None:
    case = make_case(gold={"action": "answer", "answers": ["x"], "evidence": [{"uri": uri, "quote": quote}]})
    with pytest.raises(EvidenceError, match=f"Case c: .*{why}"):
        resolve(case, texts)


@given(st.text(min_size=1).filter(str.strip), st.text(), st.text())
def test_what_is_found_is_the_quote(quote: str, before: str, after: str) -> None:
    text = before + quote + after
    found = find(quote, text)
    assert found
    assert all(re.sub(r"\s+", "", text[a:b]) == re.sub(r"\s+", "", quote) for a, b in found)


def test_the_same_documents_again_are_no_work(golden_root, build_services: Build) -> None:
    services = build_services()
    steps: list[str] = []
    first = ready_corpus(services, load_golden_set(golden_root, "tiny"), None)
    second = ready_corpus(services, load_golden_set(golden_root, "tiny"), lambda step, *_: steps.append(step))
    assert first.snapshot == second.snapshot
    assert not {"parse", "embed"} & set(steps)


def test_a_document_that_cannot_be_read_stops_the_run(golden_root, build_services: Build) -> None:
    (golden_root / "tiny" / "corpus" / "empty.md").write_text("")
    with pytest.raises(CorpusNotReady, match=r"1 documents .* empty\.md \(empty"):
        ready_corpus(build_services(), load_golden_set(golden_root, "tiny"), None)
