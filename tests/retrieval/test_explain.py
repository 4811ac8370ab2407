"""An explanation is of the very search: the same order, and shares that add up."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.bootstrap import Services
from retrieval.explain import Explanation, explain
from retrieval.files import SourceFile, list_files
from retrieval.search import BM25
from retrieval.types import OPEN, SHARED, Access, Labels, Passage, Query, Scope

WORDS = ["canary", "traffic", "rollback", "drift", "index", "budget", "alert", "gap"]
SENTENCES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(lambda words: " ".join(words) + ".\n")


class Backwards:
    """A second look that turns the order round and scores by place."""

    name = fingerprint = "backwards"
    depth = 6

    def warm_up(self) -> None: ...

    def within(self, timeout_s: float) -> "Backwards":
        return self

    def rerank(self, query: str, passages: Sequence[Passage]) -> list[Passage]:
        turned = list(reversed(passages))
        return [replace(p, score=1 - i / 50, parts={**p.parts, "again": i / 10}) for i, p in enumerate(turned)]


def shares_add_up(found: Explanation) -> None:
    for passage in found.passages:
        assert sum(part.share for part in passage.parts.values()) == pytest.approx(passage.fused, abs=1e-6)
        for name, part in passage.parts.items():
            assert part.share == pytest.approx(found.weights[name] * part.normalised)
            asked = (
                name == BM25 or not found.moved
            )  # a moved question found it: the passage keeps the asked one's score
            assert not asked or part.raw == passage.passage.parts[name]
    assert sum(found.weights.values()) == pytest.approx(1.0)


@given(
    texts=st.lists(SENTENCES, min_size=1, max_size=8),
    question=st.lists(st.sampled_from([*WORDS, "unknown"]), min_size=1, max_size=4).map(" ".join),
    k=st.integers(1, 6),
    bm25=st.sampled_from([0.0, 0.5, 1.0, 3.0]),
    variant=st.sampled_from([{}, {"reranker": Backwards()}, {"duplicate_similarity": 0.8}, {"diversity": 0.5}]),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_explanation_is_of_the_search(
    services: Services,
    tmp_path: Path,
    texts: list[str],
    question: str,
    k: int,
    bm25: float,
    variant: dict[str, object],
) -> None:
    folder = tmp_path / "random"
    folder.mkdir(exist_ok=True)
    for number, text in enumerate(texts):
        (folder / f"{number}.txt").write_text(text, encoding="utf-8")
    files = [file for file in list_files([folder]) if int(Path(file.uri).stem) < len(texts)]
    services.ingestor.ingest(files, "random")
    retriever = replace(services.retriever, weights={"bm25": bm25}, **variant)  # type: ignore[arg-type]
    searched = await retriever.search(question, "random", k)
    found = await explain(retriever, question, "random", k)
    assert tuple(passage.passage for passage in found.passages) == searched.passages
    assert found.snapshot == searched.snapshot
    assert [passage.rank for passage in found.passages] == list(range(1, len(searched.passages) + 1))
    shares_add_up(found)


async def test_ranks_and_shares_of_a_small_corpus(corpus: Services) -> None:
    found = await explain(corpus.retriever, "canary traffic percent", "default", 3)
    best = found.passages[0]
    assert best.passage.uri == "canary.md"
    assert (best.parts["bm25"].rank, best.parts["bm25"].normalised, best.first_rank) == (1, 1.0, 1)
    assert found.considered >= len(found.passages) and found.candidates["bm25"] >= 1
    shares_add_up(found)


async def test_words_are_shown_as_they_stand_and_add_up_to_the_score(corpus: Services) -> None:
    found = await explain(corpus.retriever, "Which release sends customers to traffic?", "default", 3)
    best = next(passage for passage in found.passages if passage.passage.uri == "canary.md")
    terms = {term.asked: term for term in best.terms}
    assert terms["release"].forms == ("release", "releases")
    assert set(terms) == {"release", "sends", "traffic"} and terms["sends"].forms == ("sends",)
    assert sum(term.score or 0.0 for term in best.terms) == pytest.approx(best.parts["bm25"].raw, rel=1e-4)


async def test_words_of_earlier_questions_weigh_less(corpus: Services) -> None:
    asked = Query("And the alert?", ("What is a canary release?",))
    found = await explain(corpus.retriever, asked, "default", 3)
    weights = {term.asked: term.weight for passage in found.passages for term in passage.terms}
    assert weights["alert"] == 1.0 and weights["canary"] == pytest.approx(0.3)


async def test_german_words_are_matched_by_their_parts(services: Services, tmp_path: Path) -> None:
    text = "Die Aufbewahrungsfristen für Rechnungen betragen zehn Jahre, für Briefe und Verträge sind es sechs Jahre."
    (tmp_path / "fristen.txt").write_text(text, encoding="utf-8")
    services.ingestor.ingest(list_files([tmp_path / "fristen.txt"]), "default")
    asked = "Wie lange ist die Aufbewahrungsfrist einer Rechnung und wo steht das geschrieben?"
    found = await explain(services.retriever, asked, "default", 1)
    forms = {term.asked: term.forms for term in found.passages[0].terms}
    assert found.language == "de"
    assert forms["aufbewahrungsfrist"][0] == "aufbewahrungsfristen" and forms["rechnung"][0] == "rechnungen"


async def test_a_second_look_s_moves_and_scores_are_told(corpus: Services) -> None:
    retriever = replace(corpus.retriever, reranker=Backwards())
    found = await explain(retriever, "canary traffic", "default", 10)
    last = found.passages[-1]
    assert (last.first_rank, last.rank) == (1, len(found.passages))
    assert last.second == {"again": pytest.approx((len(found.passages) - 1) / 10)}
    assert found.reranker == "backwards" and found.reread == len(found.passages)


async def test_what_the_second_look_put_below_the_result_is_named(corpus: Services) -> None:
    retriever = replace(corpus.retriever, reranker=Backwards())
    found = await explain(retriever, "canary traffic", "default", 1)
    assert [out.first_rank for out in found.left_out] == list(range(1, found.passages[0].first_rank))
    assert all("after the second look" in out.why for out in found.left_out)


async def test_a_duplicate_is_named(services: Services, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        text = "A canary release sends one percent of traffic to the new version for an hour."
        (tmp_path / f"{name}.txt").write_text(
            text if name != "c" else "Ships arrive late in the harbour.", encoding="utf-8"
        )
    services.ingestor.ingest(list_files([str(tmp_path / f"{name}.txt") for name in "abc"]), "default")
    retriever = replace(services.retriever, duplicate_similarity=0.9)
    found = await explain(retriever, "canary release traffic", "default", 2)
    assert [passage.passage.uri for passage in found.passages] == ["a.txt", "c.txt"]
    assert [(out.first_rank, out.why) for out in found.left_out] == [(2, "repeats a better passage")]
    assert (found.passages[1].first_rank, found.passages[1].distinct_rank) == (3, 2)


async def test_nothing_of_another_tenant_is_explained(services: Services, tmp_path: Path) -> None:
    files = []
    for name, tenant in {"ours": "acme", "shared": SHARED, "theirs": "other"}.items():
        path = tmp_path / f"{name}.txt"
        path.write_text(f"The harbour fee of {name} is 5 euros.", encoding="utf-8")
        files.append(SourceFile(path.name, path, "test", Labels(tenant)))
    services.ingestor.ingest(files, "default")
    found = await explain(services.retriever, "harbour fee theirs", "default", 10, Scope(Access("acme")))
    assert {passage.passage.uri for passage in found.passages} == {"ours.txt", "shared.txt"}
    assert found.considered == 2 and found.left_out == ()


async def test_nothing_found_is_explained_too(corpus: Services) -> None:
    found = await explain(corpus.retriever.only("bm25"), "zzz", "default", 3, OPEN)
    assert found.passages == () and found.candidates == {"bm25": 0}
