"""Conversations that the service keeps: for the key that began them, redacted, unreadable on disk, within reach."""

import itertools
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import text as sql

from app.bootstrap import Services
from app.llm.scripted import ScriptedProvider
from app.settings import Settings
from app.store.conversations import MAX_OWNED, Owner
from app.store.database import open_database
from app.types import Message
from guardrails.checks.pii import PiiPatterns
from guardrails.errors import CheckFailed
from retrieval.erasure import Named
from retrieval.files import list_files
from retrieval.types import Access
from tests.app.http.conftest import Client
from tests.app.http.events import parse
from tests.conftest import Build
from tests.remains import remains

QUESTION = "How much traffic does a canary release get?"
TRUE = "A canary release sends 1 percent of the traffic to the new version for one hour."


@pytest.fixture
def keeping(build_services: Build, settings: Settings, documents) -> Services:
    chat = settings.chat.model_copy(update={"keep_conversations": True})
    services = build_services(ScriptedProvider(itertools.repeat(TRUE)), settings.model_copy(update={"chat": chat}))
    services.ingestor.ingest(list_files([documents]), "default")
    return services


@pytest.fixture
async def kept(keeping: Services, client_of: Client) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(keeping) as client:
        yield client


async def begun(client: httpx.AsyncClient, headers: dict[str, str] | None = None) -> str:
    response = await client.post("/v1/conversations", headers=headers)
    assert response.status_code == 201
    return str(response.json()["conversation_id"])


async def say(client: httpx.AsyncClient, name: str, question: str = QUESTION, **extra: object) -> httpx.Response:
    return await client.post("/v1/chat", json={"question": question, "conversation_id": name, **extra})


async def test_a_conversation_goes_on_where_it_was(kept: httpx.AsyncClient, keeping: Services) -> None:
    name = await begun(kept)
    first = (await say(kept, name)).json()
    await say(kept, name, "And for how long?")
    provider = keeping.pipeline.provider
    assert isinstance(provider, ScriptedProvider)
    asked = provider.history[-1]
    assert asked.question == f"{QUESTION} And for how long?"
    assert [(m.role, m.content) for m in asked.history] == [("user", QUESTION), ("assistant", first["answer"])]
    based = (await say(kept, name, "What did you base that on?")).json()
    assert based["provider"] == "cited sources"
    assert based["claims"][0]["citations"] == first["claims"][0]["citations"]
    assert len((await kept.get(f"/v1/conversations/{name}")).json()["messages"]) == 6


async def test_a_conversation_follows_switches_and_corrects(kept: httpx.AsyncClient, keeping: Services) -> None:
    name, provider = await begun(kept), keeping.pipeline.provider
    assert isinstance(provider, ScriptedProvider)
    asked = []
    for question in (
        "How is time-series data split?",
        "And what gap is left?",
        "What is drift watched with?",
        "No, I meant canary releases, not drift",
        "How long do they run?",
    ):
        await say(kept, name, question)
        asked.append((provider.history[-1].question, provider.history[-1].passages[0].uri.rsplit("/", 1)[-1]))
    assert asked == [
        ("How is time-series data split?", "splits.md"),
        ("How is time-series data split? And what gap is left?", "splits.md"),
        ("What is drift watched with?", "drift.txt"),
        ("What is watched with? canary releases", "canary.md"),
        ("What is watched with? canary releases How long do they run?", "canary.md"),
    ]


async def test_a_stream_is_kept_too(kept: httpx.AsyncClient) -> None:
    name = await begun(kept)
    events = parse((await say(kept, name, stream=True)).text)
    said = (await kept.get(f"/v1/conversations/{name}")).json()["messages"]
    assert [row["content"] for row in said] == [QUESTION, events[-1][1]["answer"]]
    cited = said[1]["citations"][0]
    assert cited["quote_sha256"] == events[-1][1]["claims"][0]["citations"][0]["quote_sha256"]


async def test_personal_data_is_not_kept_and_nothing_is_readable_on_disk(
    kept: httpx.AsyncClient, keeping: Services
) -> None:
    name = await begun(kept)
    await say(kept, name, "Does jane.doe@example.com get canary traffic?")
    said = (await kept.get(f"/v1/conversations/{name}")).json()["messages"]
    assert said[0]["content"] == "Does [EMAIL] get canary traffic?"
    for words in ("jane.doe@example.com", "get canary traffic"):
        assert remains(keeping.settings.home, words) == []


async def test_what_cannot_be_looked_through_is_not_kept(
    kept: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise CheckFailed("out of time")

    name = await begun(kept)
    monkeypatch.setattr(PiiPatterns, "find", broken)
    assert (await say(kept, name)).status_code == 200
    assert (await kept.get(f"/v1/conversations/{name}")).json()["messages"] == []


async def test_only_the_key_that_began_it_goes_on(keeping: Services, client_of: Client) -> None:
    def key(name: str, tenant: str, groups: Sequence[str] = ()) -> dict[str, str]:
        return {"authorization": f"Bearer {keeping.keys.create(name, Access(tenant, frozenset(groups)))}"}

    mine, colleague, stranger = key("a", "acme"), key("b", "acme"), key("c", "zenith")
    async with client_of(keeping, require_key=True) as client:
        name = await begun(client, mine)
        for headers in (colleague, stranger):
            body = {"question": QUESTION, "conversation_id": name}
            answers = [
                await client.post("/v1/chat", json=body, headers=headers),
                await client.post("/v1/chat", json={**body, "stream": True}, headers=headers),
                await client.get(f"/v1/conversations/{name}", headers=headers),
                await client.delete(f"/v1/conversations/{name}", headers=headers),
            ]
            unknown = await client.get(f"/v1/conversations/{'0' * 32}", headers=headers)
            for response in answers:
                assert response.status_code == 404
                assert response.json()["type"] == "/problems/conversation-not-found"
                assert response.json()["detail"] == unknown.json()["detail"]
        assert (await client.get(f"/v1/conversations/{name}", headers=mine)).status_code == 200


async def test_it_ends_when_it_is_ended_or_not_used(kept: httpx.AsyncClient, keeping: Services) -> None:
    ended, old = await begun(kept), await begun(kept)
    await say(kept, old)
    assert (await kept.delete(f"/v1/conversations/{ended}")).status_code == 204
    assert (await kept.get(f"/v1/conversations/{ended}")).status_code == 404
    then = datetime.now(UTC) - timedelta(days=31)
    with open_database(keeping.settings.home).execution_options(write=True).begin() as db:
        db.execute(sql("UPDATE conversations SET used = :then"), {"then": then.replace(tzinfo=None)})
    assert (await say(kept, old)).status_code == 404
    assert not keeping.retention.off
    assert keeping.retention.due()["conversations"] == 1
    assert keeping.retention.apply()["conversations"] == 1
    assert keeping.stores.kept.conversations.count() == 0


async def test_forgetting_takes_what_cites_or_tells_of_it(kept: httpx.AsyncClient, keeping: Services) -> None:
    citing, telling, other = [await begun(kept) for _ in range(3)]
    await say(kept, citing)
    store, owner = keeping.stores.kept.conversations, Owner()
    store.append(telling, owner, [Message("user", "What does Jane Q. Doe say of it?")], 10)
    store.append(other, owner, [Message("user", "What is the weather?")], 10)
    document = next(
        member.doc_id
        for member in keeping.corpora.members("default", keeping.corpora.active("default"))
        if member.uri.endswith("canary.md")
    )
    assert keeping.forget.plan(Named(document)).counts["conversations"] == 1
    outcome = keeping.forget.run(Named(document), lambda *_: None)
    assert outcome.receipt["erased"]["conversations"] == 1
    assert store.find([], lambda text: "Jane" in text) == [telling]
    assert [await gone(kept, name) for name in (citing, telling, other)] == [True, False, False]


async def gone(client: httpx.AsyncClient, name: str) -> bool:
    return (await client.get(f"/v1/conversations/{name}")).status_code == 404


async def test_without_the_setting_nothing_is_kept(client: httpx.AsyncClient, corpus: Services) -> None:
    assert (await client.post("/v1/conversations")).json()["type"] == "/problems/conversations-off"
    assert (await say(client, "0" * 32)).status_code == 403
    assert corpus.stores.kept.conversations.count() == 0


async def test_history_and_id_are_not_given_together(kept: httpx.AsyncClient) -> None:
    response = await say(kept, await begun(kept), history=[{"role": "user", "content": "Hello"}])
    assert response.status_code == 422


async def test_messages_and_conversations_are_bounded(keeping: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    store, owner = keeping.stores.kept.conversations, Owner("acme", "k")
    name = store.create(owner)
    for number in range(7):
        store.append(name, owner, [Message("user", str(number)), Message("assistant", "yes")], 4)
    said = store.messages(name, owner, datetime.now(UTC) - timedelta(days=1))
    assert [row.message.content for row in said] == ["5", "yes", "6", "yes"]
    assert MAX_OWNED == 1_000
    monkeypatch.setattr("app.store.conversations.MAX_OWNED", 3)
    names = [store.create(owner) for _ in range(4)]
    assert store.count() == 3
    store.delete(names[-1], owner)


async def test_a_client_may_send_the_citations_itself(client: httpx.AsyncClient) -> None:
    first = (await client.post("/v1/chat", json={"question": QUESTION})).json()
    citations = [citation for claim in first["claims"] for citation in claim["citations"]]
    history = [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": "Made up!", "citations": json.loads(json.dumps(citations))},
    ]
    based = (await client.post("/v1/chat", json={"question": "Sources?", "history": history})).json()
    assert based["answer"] == " ".join(dict.fromkeys(citation["quote"] for citation in citations))
    assert "Made up" not in based["answer"]
