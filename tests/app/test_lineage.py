"""What answered a turn can be told, checked and run again, without its words being kept."""

import json
import shutil
import stat
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from app.bootstrap import Services
from app.errors import ConfigError, TurnNotFound, WordsDiffer, WordsNeeded
from app.lineage import lineage_of, transforms_of
from app.llm.scripted import ScriptedProvider
from app.releases import describe
from app.replay import Replay, ensure_index, read_history, replay, request_of
from app.settings import Settings
from app.store.records import TurnRecord
from app.store.seal import Seal
from app.types import ChatRequest, ChatResult, Message
from retrieval.errors import IndexMissing
from retrieval.files import list_files
from retrieval.index.folder import IndexFolders
from retrieval.types import Access, Labels, Scope
from tests.conftest import DOCUMENTS, Build

QUESTION = "canary release traffic percent new version hour"
HISTORY = (Message("user", "What is a canary release?"), Message("assistant", "A release to few."))


async def ask(services: Services, question: str = QUESTION, **more: Any) -> tuple[ChatResult, TurnRecord]:
    result = await services.pipeline.run(ChatRequest(question, **more))
    return result, services.turns.recorded(result.turn_id)


async def run_again(services: Services, turn: TurnRecord, question: str | None = QUESTION, **more: Any) -> Replay:
    asked = request_of(turn, services.turns.seal, question, more.get("history"))
    return await replay(
        services.pipeline, turn, asked, describe(services.pipeline, services.settings), services.snapshots
    )


def with_words(settings: Settings) -> Settings:
    return settings.model_copy(update={"chat": settings.chat.model_copy(update={"record_text": True})})


async def test_a_turn_tells_what_answered_it(corpus: Services, documents: Path) -> None:
    result, turn = await ask(corpus)
    found = lineage_of(turn, corpus.snapshots)
    assert turn.release == describe(corpus.pipeline, corpus.settings)
    assert found.snapshot is not None and found.snapshot.serves and found.snapshot.indexed
    assert (found.snapshot.id, found.snapshot.documents) == (result.snapshot, len(DOCUMENTS))
    assert [activation.snapshot for activation in found.snapshot.activations] == [result.snapshot]
    assert list(found.snapshot.transforms) == ["parser", "chunker", "index", "embedders"]
    assert found.snapshot.transforms["embedders"] == corpus.ingestor.publisher.embedders[0].fingerprint
    cited = next(document for document in found.documents if document.cited)
    assert (cited.uri, cited.source) == ("canary.md", str(documents))
    assert cited.sha256 == sha256(DOCUMENTS["canary.md"].encode()).hexdigest()
    citations = [citation for claim in result.claims for citation in claim.citations]
    assert [(q.quote, q.quote_sha256) for q in found.quotes] == [(c.quote, c.quote_sha256) for c in citations]
    assert [(p.doc_id, p.start, p.end, p.score) for p in turn.passages] == [
        (p.doc_id, p.start, p.end, p.score) for p in result.passages
    ]
    assert (found.cost_usd, turn.verdicts, turn.usage) == (0.0, (), result.usage)


def test_a_further_transform_shows_up_by_itself() -> None:
    manifest = {
        "corpus": "c",
        "documents": [],
        "parser": "p",
        "chunker": "k",
        "redaction": "r/2",
        "embedders": ["a", "b"],
    }
    assert list(transforms_of(manifest).items()) == [
        ("parser", "p"), ("redaction", "r/2"), ("chunker", "k"), ("embedders", "a + b"),
    ]  # fmt: skip


async def test_settings_that_are_not_the_defaults_are_named(build_services: Build, settings: Settings) -> None:
    chat = settings.chat.model_copy(update={"passages": 3})
    services = build_services(given=settings.model_copy(update={"chat": chat}))
    services.ingestor.ingest([], "default")
    _, turn = await ask(services)
    assert lineage_of(turn, services.snapshots).settings == {"chat.passages": "3"}


async def test_no_word_is_kept_unless_that_is_set(corpus: Services, settings: Settings) -> None:
    secret = "my number is 4711 canary traffic"
    _, turn = await ask(corpus, secret, history=(Message("user", "call me Zebedee"),))
    assert (turn.question, turn.answer, turn.history) == (None, None, None)
    corpus.close()
    held = b"".join(path.read_bytes() for path in settings.home.rglob("*") if path.is_file())
    assert b"4711" not in held and b"Zebedee" not in held
    assert sha256(secret.encode()).hexdigest().encode() not in held, "a plain hash of a short question can be guessed"


async def test_words_are_kept_where_that_is_set(build_services: Build, settings: Settings, documents: Path) -> None:
    services = build_services(given=with_words(settings))
    services.ingestor.ingest(list_files([documents]), "default")
    result, turn = await ask(services, history=HISTORY)
    assert (turn.question, turn.answer, turn.history) == (QUESTION, result.answer, HISTORY)
    assert (await run_again(services, turn, None)).reproduced
    assert request_of(turn, Seal(settings.home / "lost"), None, None).question == QUESTION
    long = (Message("user", "x" * (settings.chat.max_history_chars + 1)),)
    _, turn = await ask(services, history=long)
    assert turn.history is None and turn.history_hmac
    with pytest.raises(WordsNeeded, match="--history"):
        request_of(turn, services.turns.seal, None, None)
    assert request_of(turn, services.turns.seal, None, long).history == long


async def test_a_turn_is_reproduced_and_the_replay_is_no_turn(corpus: Services) -> None:
    _, turn = await ask(corpus)
    again = await run_again(corpus, turn)
    assert again.reproduced and not again.release and again.score_drift == 0
    assert again.passages_now == again.passages_then
    with pytest.raises(TurnNotFound):
        corpus.turns.recorded(again.result.turn_id)


async def test_a_turn_is_reproduced_after_its_documents_changed(corpus: Services, documents: Path) -> None:
    _, turn = await ask(corpus)
    (documents / "canary.md").write_text("# Canary releases\n\nA canary release is a bird.\n", encoding="utf-8")
    (documents / "new.md").write_text(DOCUMENTS["canary.md"].replace("1 percent", "9 percent"), encoding="utf-8")
    report = corpus.ingestor.ingest(list_files([documents]), "default")
    again = await run_again(corpus, turn)
    assert again.reproduced and again.serves_now == report.snapshot != turn.snapshot
    found = lineage_of(turn, corpus.snapshots)
    assert found.snapshot is not None and not found.snapshot.serves
    assert found.quotes[0].quote is not None and "1 percent" in found.quotes[0].quote


async def test_scope_is_part_of_what_is_run_again(services: Services, documents: Path) -> None:
    files = [replace(f, labels=Labels("acme", ("staff",), {"product": "pump"})) for f in list_files([documents])]
    services.ingestor.ingest(files, "default")
    scope = Scope(Access("acme", frozenset({"staff"})), {"product": "pump"})
    result, turn = await ask(services, scope=scope)
    assert turn.scope == replace(scope, snapshot=result.snapshot) and result.passages
    assert (await run_again(services, turn)).reproduced


async def test_another_release_that_answers_otherwise_is_told(
    corpus: Services, build_services: Build, settings: Settings
) -> None:
    _, turn = await ask(corpus)
    drafts = ScriptedProvider(["If the error rate doubles, roll back within 5 minutes. [1]"])
    other = build_services(
        drafts, settings.model_copy(update={"chat": settings.chat.model_copy(update={"passages": 2})})
    )
    again = await run_again(other, turn)
    assert not again.reproduced and not again.answer_same and not again.passages_same
    assert again.release["chat.passages"] == ("8", "2") and again.provider == ("extractive", "scripted")
    assert again.release["provider"] == ("extractive", "scripted")


async def test_words_are_asked_for_and_checked(corpus: Services) -> None:
    _, turn = await ask(corpus)
    _, late = await ask(corpus, history=HISTORY)
    seal = corpus.turns.seal
    with pytest.raises(WordsNeeded, match="--question"):
        request_of(turn, seal, None, None)
    with pytest.raises(WordsDiffer, match="question"):
        request_of(turn, seal, QUESTION + "?", None)
    with pytest.raises(WordsDiffer, match="history"):
        request_of(turn, seal, QUESTION, HISTORY)
    with pytest.raises(WordsNeeded, match="--history"):
        request_of(late, seal, QUESTION, None)
    with pytest.raises(WordsDiffer, match="history"):
        request_of(late, seal, QUESTION, HISTORY[:1])
    assert request_of(late, seal, QUESTION, HISTORY) == ChatRequest(QUESTION, HISTORY, "default", late.scope)


async def test_a_removed_index_is_rebuilt_on_request_only(corpus: Services, settings: Settings) -> None:
    _, turn = await ask(corpus)
    shutil.rmtree(IndexFolders(settings.home / "indexes").path("default", turn.snapshot))
    with pytest.raises(IndexMissing, match="--rebuild"):
        ensure_index(corpus.snapshots, turn, rebuild=False)
    ensure_index(corpus.snapshots, turn, rebuild=True)
    assert (await run_again(corpus, turn)).reproduced


async def test_what_is_no_longer_stored_is_said_to_be_so(corpus: Services, settings: Settings) -> None:
    _, turn = await ask(corpus)
    engine = create_engine(f"sqlite:///{settings.home / 'assay.db'}")
    with engine.begin() as db:
        for table in ("chunks", "snapshot_documents", "snapshots", "versions"):
            db.execute(text(f"DELETE FROM {table}"))
    engine.dispose()
    found = lineage_of(turn, corpus.snapshots)
    assert found.snapshot is None
    assert {(d.uri, d.version != "") for d in found.documents} == {("", True)}
    assert {quote.quote for quote in found.quotes} == {None}


async def test_a_turn_from_before_lineage_can_be_told_but_not_run_again(corpus: Services, settings: Settings) -> None:
    result, _ = await ask(corpus)
    empty = {"release": "", "question_hmac": "", "answer_sha256": "", "scope": "{}", "passages": "[]", "usage": "{}"}
    engine = create_engine(f"sqlite:///{settings.home / 'assay.db'}")
    with engine.begin() as db:
        db.execute(text(f"UPDATE turns SET {', '.join(f'{name} = :{name}' for name in empty)}"), empty)
    engine.dispose()
    turn = corpus.turns.recorded(result.turn_id)
    found = lineage_of(turn, corpus.snapshots)
    assert turn.release is None and found.documents[0].uri == "canary.md" and found.quotes[0].quote
    with pytest.raises(WordsNeeded, match="before"):
        request_of(turn, corpus.turns.seal, QUESTION, None)


def test_the_key_is_private_stable_and_checked(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "keys"
    first = Seal(folder).question("a")
    path = folder / "turns.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(folder.iterdir()) == [path]
    assert Seal(folder).question("a") == first != Seal(folder).question("b")
    assert Seal(tmp_path / "other").question("a") != first
    assert Seal(folder).history(()) == "" and Seal(folder).history((Message("user", "a"),)) != first
    path.write_bytes(b"short")
    with pytest.raises(ConfigError, match="damaged"):
        Seal(folder).question("a")


def test_a_history_file_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    path.write_text(json.dumps([{"role": "user", "content": "Hi"}]), encoding="utf-8")
    assert read_history(path) == (Message("user", "Hi"),)
    for wrong in ("{", "{}x", '["a"]', '[{"role": "user"}]', "3"):
        path.write_text(wrong, encoding="utf-8")
        with pytest.raises(WordsNeeded, match="not a history"):
            read_history(path)
