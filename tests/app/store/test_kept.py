"""Conversations and cached answers, over SQLite and over Postgres."""

from datetime import UTC, datetime, timedelta

import pytest

from app.bootstrap import Services
from app.errors import ConversationNotFound
from app.store.cache import CacheBounds, CacheStore
from app.store.conversations import ConversationStore, Owner
from app.types import CitedSpan, Message

pytestmark = pytest.mark.both_databases
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
SPAN = CitedSpan("d" * 16, "s" * 16, 3, 9, "0" * 64)
MINE = Owner("acme", "k1")


@pytest.fixture
def conversations(services: Services) -> ConversationStore:
    return services.stores.kept.conversations


@pytest.fixture
def cache(services: Services) -> CacheStore:
    return services.stores.kept.cache


def test_what_was_said_comes_back_to_its_owner_alone(conversations: ConversationStore) -> None:
    said = [Message("user", "What is drift?\0 “🙂”"), Message("assistant", "A change.", (SPAN,))]
    name = conversations.create(MINE)
    conversations.append(name, MINE, said, 40)
    assert [row.message for row in conversations.messages(name, MINE, LONG_AGO)] == said
    for other in (Owner("acme", "k2"), Owner("zenith", "k1"), Owner()):
        with pytest.raises(ConversationNotFound):
            conversations.messages(name, other, LONG_AGO)
        with pytest.raises(ConversationNotFound):
            conversations.append(name, other, said, 40)
        with pytest.raises(ConversationNotFound):
            conversations.delete(name, other)
    with pytest.raises(ConversationNotFound):
        conversations.messages(name, MINE, datetime.now(UTC) + timedelta(days=1))


def test_they_are_found_by_what_they_cite_and_say(conversations: ConversationStore) -> None:
    citing, telling, neither = (conversations.create(MINE) for _ in range(3))
    conversations.append(citing, MINE, [Message("assistant", "Yes.", (SPAN,))], 40)
    conversations.append(telling, MINE, [Message("user", "Jane?"), Message("user", "Jane again?")], 40)
    conversations.append(neither, MINE, [Message("user", "Hello")], 40)
    assert conversations.find([("default", "s" * 16, "d" * 16)], lambda _: False) == [citing]
    assert conversations.find([("default", "other", "d" * 16)], lambda text: "Jane" in text) == [telling]
    assert conversations.erase([citing, telling, "unknown"]) == 2
    assert conversations.count() == 1
    assert conversations.unused_since(datetime.now(UTC) + timedelta(minutes=1)) == [neither]
    assert conversations.unused_since(LONG_AGO) == []


def test_an_answer_is_kept_once_with_its_vector(cache: CacheStore) -> None:
    bounds = CacheBounds(100, 10_000, timedelta(days=1))
    for answer in ("first", "second"):
        cache.put("s", "q", ("What is drift?", b"\0\1\2\3", answer), bounds)
    cache.put("t", "q", ("", None, "other"), bounds)
    row = cache.get("s", "q", LONG_AGO)
    assert row is not None and (row.question, row.answer) == ("What is drift?", "first")
    assert cache.get("s", "q", datetime.now(UTC) + timedelta(days=1)) is None
    assert cache.vectors("s", LONG_AGO, 10) == [(row.id, b"\0\1\2\3")]
    assert cache.vectors("t", LONG_AGO, 10) == []
    assert cache.at(row.id) == row
    assert cache.drop_where(lambda text: text == "other") == 1
    assert cache.size() == (1, len("What is drift?") + 4 + len("first"))
    assert cache.clear(LONG_AGO) == 0
    assert cache.clear() == 1
