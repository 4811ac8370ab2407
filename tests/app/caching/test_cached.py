"""Answers given again: only to who may have them, only what stands up again, only as long as it may be kept."""

import itertools
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from app.answering import Answers
from app.bootstrap import Services
from app.caching.cached import Cached
from app.caching.learned import Learned, learned_for
from app.errors import ConfigError, ProviderError
from app.joining.serving import serving
from app.llm.scripted import ScriptedProvider
from app.settings import CacheSettings, Settings
from app.store.cache import CacheBounds, CacheStore
from app.store.database import open_database
from app.types import ChatRequest, ChatResult, Message, Usage
from guardrails.checks.pii import PiiPatterns
from guardrails.errors import CheckFailed
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.erasure import Named
from retrieval.errors import CorpusNotFound
from retrieval.files import SourceFile, list_files
from retrieval.types import OPEN, Access, Labels, Scope
from tests.conftest import Build
from tests.remains import remains

QUESTION = "How much traffic does a canary release get?"
TRUE = "A canary release sends 1 percent of the traffic to the new version for one hour."
ASKED = ChatRequest(QUESTION)
SAME = ("turn_id", "timings_ms", "cached", "usage", "usage_by_provider", "attempts", "cost_usd")

With = Callable[..., tuple[Services, Answers]]


@pytest.fixture
def cached(build_services: Build, settings: Settings, documents: Path, tmp_path: Path) -> With:
    """Services whose answers are cached, over a provider with these drafts."""

    def make(mode: str = "exact", drafts: object = None, **rules: object) -> tuple[Services, Answers]:
        learned = tmp_path / "learned.json"
        row = Learned(HashingEmbedder().fingerprint, 0.5, 0.01, 0.95, 400, 0, 0.0075, "made up")
        learned.write_text(json.dumps([asdict(row)]))
        cache = CacheSettings(mode=mode, learned=learned, **rules)  # type: ignore[arg-type]
        provider = ScriptedProvider(drafts or itertools.repeat(TRUE), usage=Usage(30, 12))  # type: ignore[arg-type]
        services = build_services(provider, settings.model_copy(update={"cache": cache}))
        services.ingestor.ingest(list_files([documents]), "default")
        return services, serving(services).answers

    return make


def calls(services: Services) -> int:
    provider = services.pipeline.provider
    assert isinstance(provider, ScriptedProvider)
    return len(provider.history)


def without(result: ChatResult, *names: str) -> dict[str, object]:
    return {name: getattr(result, name) for name in ChatResult.__slots__ if name not in names}


async def test_the_same_question_gets_the_same_answer_without_a_model(cached: With) -> None:
    services, answers = cached()
    first, again = await answers.run(ASKED), await answers.run(replace(ASKED, question=f"  {QUESTION} "))
    assert (first.cached, again.cached, calls(services)) == ("", "exact", 1)
    assert without(again, *SAME, "question") == without(first, *SAME, "question")
    assert (again.usage, again.cost_usd) == (Usage(), 0.0) and again.turn_id != first.turn_id
    assert services.turns.recorded(again.turn_id).citations == services.turns.recorded(first.turn_id).citations


async def test_events_of_a_hit_are_those_of_a_turn(cached: With) -> None:
    _, answers = cached()
    turn = [event async for event in answers.events(ASKED)]
    hit = [event async for event in answers.events(ASKED)]
    assert [type(event) for event in hit] == [type(event) for event in turn]
    assert hit[:-1] == turn[:-1]


@pytest.mark.parametrize(
    "other",
    [
        replace(ASKED, scope=Scope(Access("acme"))),
        replace(ASKED, scope=Scope(Access("", frozenset({"board"})))),
        replace(ASKED, scope=Scope(where={"year": 2024})),
        replace(ASKED, history=(Message("user", "What is drift?"),)),
        replace(ASKED, question="How little traffic does a canary release get?"),
    ],
)
@pytest.mark.parametrize("mode", ["exact", "semantic"])
async def test_nothing_is_found_across_scopes_conversations_and_words(
    cached: With, other: ChatRequest, mode: str
) -> None:
    _, answers = cached(mode)
    await answers.run(ASKED)
    assert (await answers.run(other)).cached == ""


async def test_another_snapshot_or_release_has_answers_of_its_own(
    cached: With, documents: Path, build_services: Build
) -> None:
    services, answers = cached()
    first = await answers.run(ASKED)
    (documents / "more.md").write_text("# More\n\nNothing about canaries.\n", "utf-8")
    services.ingestor.ingest(list_files([documents]), "default")
    second = await answers.run(ASKED)
    assert (second.cached, second.snapshot == first.snapshot, calls(services)) == ("", False, 2)
    pinned = replace(ASKED, scope=replace(OPEN, snapshot=first.snapshot))
    assert (await answers.run(pinned)).cached == ""  # another scope
    changed = services.settings.chat.model_copy(update={"max_claims": 3})
    other = build_services(ScriptedProvider([TRUE]), services.settings.model_copy(update={"chat": changed}))
    assert (await serving(other).answers.run(ASKED)).cached == ""
    assert (await answers.run(ASKED)).cached == "exact"


async def test_a_question_that_means_the_same_gets_the_answer_verified_anew(cached: With) -> None:
    services, answers = cached("semantic")
    first = await answers.run(ASKED)
    alike = await answers.run(ChatRequest("Could you tell me how much traffic canary releases get?"))
    assert (alike.cached, calls(services)) == ("semantic", 1)
    assert alike.answer == first.answer
    assert alike.claims[0].citations == first.claims[0].citations


@pytest.mark.parametrize(
    "question",
    [
        "How long does a canary release get traffic?",
        "How much traffic does a canary release not get?",
        "How much traffic do 2 canary releases get?",
        "Who gets how much traffic of a canary release?",
        "Is much traffic got by a canary release?",
    ],
)
async def test_a_question_that_says_otherwise_is_a_turn_of_its_own(cached: With, question: str) -> None:
    _, answers = cached("semantic")
    await answers.run(ASKED)
    assert (await answers.run(ChatRequest(question))).cached == ""


class Refuses:
    """Grounding that nothing stands up to."""

    def verify(self, *_: object) -> None:
        return None


async def test_an_answer_that_does_not_stand_up_any_more_is_not_given_again(cached: With) -> None:
    services, answers = cached("semantic")
    await answers.run(ASKED)
    assert services.stores.kept.cache.size()[0] == 1
    strict = replace(services.pipeline, grounding=Refuses())  # type: ignore[arg-type]
    inner = answers.inner._inner  # type: ignore[attr-defined]
    assert isinstance(inner, Cached)
    refused = replace(inner, inner=services.pipeline, pipeline=strict)
    hit = await refused._exact(ASKED, services.corpora.active("default"), _key(refused, services))
    assert hit is None
    assert services.stores.kept.cache.size()[0] == 0


def _key(cached: Cached, services: Services) -> tuple[str, str]:
    return cached._scope(ASKED, services.corpora.active("default")), cached._asked(ASKED)


async def test_what_is_rated_down_is_not_given_again(cached: With) -> None:
    services, answers = cached()
    await answers.run(ASKED)
    again = await answers.run(ASKED)
    other = await answers.run(ChatRequest("canary release hour", scope=Scope(Access("acme"))))
    serving(services).rated_down(other.turn_id)
    assert services.stores.kept.cache.size()[0] == 1
    serving(services).rated_down(again.turn_id)
    assert services.stores.kept.cache.size()[0] == 0
    assert (await answers.run(ASKED)).cached == ""


SCOPES = st.builds(
    Scope,
    st.builds(Access, st.sampled_from(["", "a", "b"]), st.frozensets(st.sampled_from(["x", "y"]))),
    st.dictionaries(st.sampled_from(["year", "kind"]), st.sampled_from([1, "1", True]), max_size=2),
    st.none() | st.just("s1"),
)


@given(SCOPES, SCOPES)
@examples(max_examples=200)
def test_two_scopes_never_share_a_key(one: Scope, other: Scope) -> None:
    cache = Cached(*[None] * 6, policy=lambda: "p", personal=lambda _: False)  # type: ignore[arg-type]
    keys = [cache._scope(replace(ASKED, scope=scope), "snapshot") for scope in (one, other)]
    plain = [(s.access, sorted(map(repr, s.where.items())), s.snapshot) for s in (one, other)]
    assert (keys[0] == keys[1]) == (plain[0] == plain[1])


async def test_what_may_no_longer_be_seen_is_not_given_again(cached: With, tmp_path: Path) -> None:
    services, answers = cached()
    path = tmp_path / "board.txt"
    path.write_text("The board meets on the second Monday of each month in Hamburg.", "utf-8")
    services.ingestor.ingest([SourceFile("board.txt", path, "t", Labels("acme", ("board",)))], "default")
    asked = ChatRequest("When does the board meet?", scope=Scope(Access("acme", frozenset({"board"}))))
    extractive = replace(services.pipeline, provider=services.pipeline.fallback)
    inner = replace(answers.inner._inner, inner=extractive)  # type: ignore[attr-defined]
    first = await inner.run(asked)
    assert "Monday" in first.answer
    entry_key = inner._scope(asked, services.corpora.active("default")), inner._asked(asked)
    blind = replace(asked, scope=Scope(Access("acme")))
    assert await inner._exact(blind, services.corpora.active("default"), entry_key) is None


@pytest.mark.parametrize("draft", [ProviderError("down"), "I don't know."])
async def test_what_went_wrong_is_not_kept(cached: With, draft: object) -> None:
    services, answers = cached(drafts=[draft, TRUE])
    assert (await answers.run(ASKED)).cached == ""
    assert services.stores.kept.cache.size() == (0, 0)
    assert (await answers.run(ASKED)).cached == ""


async def test_personal_data_is_not_kept(cached: With, monkeypatch: pytest.MonkeyPatch) -> None:
    services, answers = cached("semantic")
    await answers.run(ChatRequest("How much canary traffic does jane.doe@example.com get?"))
    assert services.stores.kept.cache.size()[0] == 0
    assert remains(services.settings.home, "jane.doe") == []

    def broken(*_: object) -> None:
        raise CheckFailed("out of time")

    monkeypatch.setattr(PiiPatterns, "find", broken)
    assert (await answers.run(ASKED)).answer == TRUE
    assert services.stores.kept.cache.size()[0] == 0


async def test_the_exact_cache_keeps_no_question(cached: With) -> None:
    services, answers = cached()
    await answers.run(ASKED)
    assert services.stores.kept.cache.size()[0] == 1
    assert remains(services.settings.home, "traffic does a canary release get") == []


async def test_an_erasure_takes_the_answers_out(cached: With) -> None:
    services, answers = cached("semantic")
    result = await answers.run(ASKED)
    named = Named(result.claims[0].citations[0].doc_id)
    assert services.forget.plan(named).counts["cached answers"] == 1
    outcome = services.forget.run(named, lambda *_: None)
    assert outcome.clean and outcome.receipt["erased"]["cached answers"] == 1
    assert (await answers.run(ASKED)).cached == ""


async def test_an_old_answer_is_not_given_again_and_retention_removes_it(
    cached: With, monkeypatch: pytest.MonkeyPatch
) -> None:
    services, answers = cached(max_age_h=1e-9)
    await answers.run(ASKED)
    assert (await answers.run(ASKED)).cached == ""
    assert not services.retention.off
    assert services.retention.due()["cached answers"] == 1
    assert services.retention.apply()["cached answers"] == 1


async def test_an_empty_corpus_is_an_error(cached: With) -> None:
    _, answers = cached()
    with pytest.raises(CorpusNotFound):
        await answers.run(replace(ASKED, corpus="nothing"))


async def test_off_is_off(corpus: Services) -> None:
    answers = serving(corpus).answers
    await answers.run(ASKED)
    assert (await answers.run(ASKED)).cached == ""
    assert corpus.stores.kept.cache.size() == (0, 0)


def test_the_store_is_bounded_in_entries_and_bytes(settings: Settings) -> None:
    store = CacheStore(open_database(settings.home))
    day = timedelta(days=1)
    for number in range(10):
        store.put("s", f"{number:064}", ("", None, "x" * 100), CacheBounds(4, 10_000, day))
    assert store.size() == (4, 400)
    store.put("s", "a" * 64, ("", None, "y" * 250), CacheBounds(100, 500, day))
    assert store.size() == (3, 450)
    store.put("s", "b" * 64, ("", None, "z" * 501), CacheBounds(100, 500, day))
    assert store.size() == (3, 450)


def test_nothing_semantic_without_a_learned_threshold(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="fit_cache"):
        learned_for("an embedder that nobody knows")
    path = tmp_path / "learned.json"
    row = {"embedder": "e", "threshold": 0.9, "target": 0.01, "confidence": 0.95, "novel": 10, "wrong": 0,
           "upper_bound": 0.26, "sets": ""}  # fmt: skip
    path.write_text(json.dumps([row]))
    with pytest.raises(ConfigError, match="fit_cache"):
        learned_for("e", path)
    path.write_text("{")
    with pytest.raises(ConfigError, match="cannot be read"):
        learned_for("e", path)
