"""Who may see what, through the doors: a tenant's documents, turns and uploads are its own, whatever is asked how."""

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.bootstrap import Services
from app.pipeline import unrecorded
from app.types import ChatRequest
from retrieval.files import SourceFile
from retrieval.rerankers.port import KeepOrder
from retrieval.types import OPEN, SHARED, Access, Labels, Scope
from tests.app.http.conftest import Client

pytestmark = pytest.mark.both_databases

SECRET = "The harbour fee of {} is {} euros a night, which nobody else should know."


def write(folder: Path, name: str, words: str, labels: Labels) -> SourceFile:
    path = folder / name.replace("/", "_")
    path.write_text(words, encoding="utf-8")
    return SourceFile(name, path, "test", labels)


@pytest.fixture
def harbour(services: Services, tmp_path: Path) -> Services:
    """Documents of two tenants, one of them for a group, one shared, one of nobody."""
    files = [
        write(tmp_path, "acme.txt", SECRET.format("acme", 11), Labels("acme")),
        write(tmp_path, "board.txt", SECRET.format("the board", 22), Labels("acme", ("board",))),
        write(tmp_path, "zenith.txt", SECRET.format("zenith", 33), Labels("zenith")),
        write(
            tmp_path,
            "shared.txt",
            "The harbour opens in May, the fee hangs at the gate.",
            Labels(SHARED),
        ),
        write(tmp_path, "open.txt", "The harbour fee of the service itself is 44 euros a night.", Labels()),
    ]
    services.ingestor.ingest(files, "default")
    return services


def bearer(services: Services, name: str, tenant: str = "", groups: Sequence[str] = ()) -> dict[str, str]:
    return {"authorization": f"Bearer {services.keys.create(name, Access(tenant, frozenset(groups)))}"}


async def said(
    client: httpx.AsyncClient, headers: dict[str, str], question: str = "How high is the harbour fee?"
) -> str:
    """Everything that every way of asking says."""
    messages = [{"role": "user", "content": question}]
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("/v1/chat", {"question": question}),
        ("/v1/chat", {"question": question, "stream": True}),
        ("/v1/chat", {"question": question, "history": [{"role": "user", "content": "What of zenith and the board?"}]}),
        ("/v1/chat/completions", {"model": "assay", "messages": messages}),
        ("/v1/chat/completions", {"model": "assay", "messages": messages, "stream": True}),
    ]
    answers = [await client.post(path, json=body, headers=headers) for path, body in bodies]
    assert {answer.status_code for answer in answers} == {200}
    return "\n".join(answer.text for answer in answers)


async def test_each_key_hears_of_its_own_and_of_what_is_shared(harbour: Services, client_of: Client) -> None:
    async with client_of(harbour, require_key=True) as client:
        acme = await said(client, bearer(harbour, "a", "acme"))
        board = await said(client, bearer(harbour, "b", "acme", ["board"]))
        zenith = await said(client, bearer(harbour, "z", "zenith"))
        nobody = await said(client, bearer(harbour, "n"))
    for text, seen in ((acme, "acme.txt"), (board, "board.txt"), (zenith, "zenith.txt"), (nobody, "open.txt")):
        assert seen in text and "shared.txt" in text
    for text, hidden in (
        (acme, ("board", "zenith", "open.txt", "22 euros", "33 euros")),
        (board, ("zenith.txt", "open.txt", "33 euros")),
        (zenith, ("acme", "board.txt", "11 euros", "22 euros")),
        (nobody, ("acme", "zenith.txt", "board.txt", "11 euros", "22 euros", "33 euros")),
    ):
        assert not [word for word in hidden if word in text.replace("What of zenith and the board?", "")]


async def test_another_s_document_is_as_unknown_as_none(harbour: Services, client_of: Client) -> None:
    ids = {m.uri: m.doc_id for m in harbour.ingestor.members("default")}
    snapshot = harbour.corpora.active("default")
    async with client_of(harbour, require_key=True) as client:
        acme = bearer(harbour, "a", "acme")
        assert (await client.get(f"/v1/documents/{ids['acme.txt']}", headers=acme)).status_code == 200
        for query in ("", f"?snapshot={snapshot}"):
            there = await client.get(f"/v1/documents/{ids['zenith.txt']}{query}", headers=acme)
            none = await client.get(f"/v1/documents/0123456789abcdef{query}", headers=acme)
            assert there.status_code == none.status_code == 404
            bodies = [dict(answer.json(), instance="") for answer in (there, none)]
            assert str(bodies[0]).replace(ids["zenith.txt"], "0123456789abcdef") == str(bodies[1])


async def test_uploads_of_the_same_name_do_not_meet(harbour: Services, client_of: Client) -> None:
    async with client_of(harbour, require_key=True) as client:
        keys = {tenant: bearer(harbour, tenant or "none", tenant) for tenant in ("acme", "zenith", "")}
        for tenant, headers in keys.items():
            text = f"The price list of {tenant or 'nobody'} names pumps.".encode()
            for name in ("prices.txt", "@zenith/prices.txt"):
                answer = await client.post("/v1/documents", files={"file": (name, text)}, headers=headers)
                assert answer.status_code in (200, 201), answer.text
        served = {m.uri: m.labels.tenant for m in harbour.ingestor.members("default") if "prices" in m.uri}
        assert served == {"@acme/prices.txt": "acme", "@zenith/prices.txt": "zenith", "prices.txt": ""}
        heard = await said(client, keys["acme"], "Which price list names pumps?")
        assert "price list of acme" in heard and "price list of zenith" not in heard and "of nobody" not in heard


async def test_a_turn_is_rated_by_the_tenant_that_asked(harbour: Services, client_of: Client) -> None:
    async with client_of(harbour, require_key=True) as client:
        acme, zenith = bearer(harbour, "a", "acme"), bearer(harbour, "z", "zenith")
        turn = (await client.post("/v1/chat", json={"question": "How high is the fee?"}, headers=acme)).json()[
            "turn_id"
        ]
        rating = {"turn_id": turn, "rating": "up"}
        assert (await client.post("/v1/feedback", json=rating, headers=zenith)).status_code == 404
        assert (await client.post("/v1/feedback", json=rating, headers=acme)).status_code == 204


async def test_a_body_cannot_name_its_own_scope(harbour: Services, client_of: Client) -> None:
    async with client_of(harbour, require_key=True) as client:
        headers = bearer(harbour, "a", "acme") | {"x-tenant": "zenith", "assay.access": "zenith"}
        for extra in ({"tenant": "zenith"}, {"scope": {"access": {"tenant": "zenith"}}}, {"groups": ["board"]}):
            answer = await client.post("/v1/chat", json={"question": "harbour fee?", **extra}, headers=headers)
            assert answer.status_code == 422 or "33 euros" not in answer.text + answer.text.replace(
                "22 euros", "33 euros"
            )


class Lying:
    """A retriever whose index filters nothing."""

    reranker = KeepOrder()

    def __init__(self, services: Services) -> None:
        self._real = services.retriever
        self._everyone = [Scope(Access(t, frozenset({"board"}))) for t in ("acme", "zenith", "")]

    async def search(self, query: Any, corpus: str, k: int, scope: Scope = OPEN) -> Any:
        found = [await self._real.search(query, corpus, k, everyone) for everyone in self._everyone]
        return replace(found[0], passages=tuple(p for one in found for p in one.passages))


async def test_a_second_look_stops_a_lying_index(harbour: Services, caplog: pytest.LogCaptureFixture) -> None:
    pipeline = replace(harbour.pipeline, retriever=Lying(harbour), record=unrecorded)  # type: ignore[arg-type]
    with caplog.at_level(logging.ERROR):
        result = await pipeline.run(ChatRequest("How high is the harbour fee?", scope=Scope(Access("acme"))))
    assert {passage.uri for passage in result.passages} == {"acme.txt", "shared.txt"}
    assert "passages that may not be shown" in caplog.text and "zenith" not in caplog.text


async def test_without_labels_nothing_is_shown(harbour: Services) -> None:
    found = await harbour.retriever.search("harbour fee", "default", 5)
    assert found.passages
    assert (await harbour.pipeline.second_look(found, "default", OPEN)).passages == found.passages
    assert (await harbour.pipeline.second_look(replace(found, snapshot="gone"), "default", OPEN)).passages == ()


WORDS = "harbour fee night mast pump valve anchor rope sail engine".split()


FORMS = (
    "What does the {a} of the {b} cost?",
    "How long does the {a} of the {b} last?",
    "{a} {b} {c} price",
    "Which is dearer, the {a} of the {b} or the {c}?",
    "Tell me about the {c}, and about the {a} of the {b}.",
)


def questions(count: int) -> list[str]:
    """So many different questions over the words of the tenants' documents."""
    made = (form.format(a=a, b=b, c=c) for c in WORDS for form in FORMS for a in WORDS for b in WORDS)
    return list(islice(dict.fromkeys(made), count))


@pytest.mark.parametrize("count", [81, pytest.param(2_000, marks=pytest.mark.heavy)])
async def test_another_tenant_changes_no_byte_of_an_answer(services: Services, tmp_path: Path, count: int) -> None:
    own = [
        write(tmp_path, f"own-{i}.txt", f"The {a} of the {b} costs {i} euros and lasts {i + 2} years.", Labels("acme"))
        for i, (a, b) in enumerate((a, b) for a in WORDS for b in WORDS[:3])
    ]
    others = [
        write(tmp_path, f"other-{i}.txt", f"The {a} {a} {b} costs {i} euros {a} {b}. " * 3, Labels("zenith"))
        for i, (a, b) in enumerate((a, b) for a in WORDS for b in WORDS)
    ]

    async def answers() -> list[str]:
        said = []
        for question in questions(count):
            request = ChatRequest(question, scope=Scope(Access("acme")))
            result = await services.pipeline.run(request)
            plain = replace(result, turn_id="", snapshot="", timings_ms={})
            said.append(json.dumps(repr(plain)).replace(result.snapshot, ""))
        return said

    services.ingestor.ingest(own, "default")
    alone = await answers()
    services.ingestor.ingest([*own, *others], "default")
    assert len(alone) == count
    assert await answers() == alone
    assert len(set(alone)) > 20


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(["", "a", "b", SHARED]), st.sets(st.sampled_from("xy"))), min_size=1, max_size=6
    ),
    st.sampled_from(["", "a", "b"]),
    st.sets(st.sampled_from("xy")),
)
def test_no_labels_and_no_access_show_what_is_another_s(
    services: Services,
    tmp_path: Path,
    labels: list[tuple[str, set[str]]],
    tenant: str,
    groups: set[str],
) -> None:
    import asyncio

    files = [
        write(tmp_path, f"{i}.txt", f"The harbour fee number {i} is secret-{i}.", Labels(t, tuple(sorted(g))))
        for i, (t, g) in enumerate(labels)
    ]
    services.ingestor.ingest(files, "default", prune=["test"])
    access = Access(tenant, frozenset(groups))
    result = asyncio.run(services.pipeline.run(ChatRequest("What is the harbour fee?", scope=Scope(access))))
    text = repr(result)
    for file in files:
        if not access.sees(file.labels):
            assert f"secret-{file.uri.split('.')[0]}" not in text and f"'{file.uri}'" not in text
