import asyncio
import threading
import unicodedata

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bootstrap import Services
from app.http.documents import MAX_NAME_CHARS, safe_name
from retrieval.files import list_files
from retrieval.ingest import Ingestor
from tests.app.http.conftest import Client

LLAMAS = "# Llamas\n\nA llama hums when it is content. 🦙 It spits when it is cross.\n"


async def upload(client: httpx.AsyncClient, name: str, content: str | bytes, **fields: str) -> httpx.Response:
    data = content.encode() if isinstance(content, str) else content
    return await client.post("/v1/documents", files={"file": (name, data)}, data=fields)


async def test_an_upload_can_be_read_and_asked(client: httpx.AsyncClient) -> None:
    response = await upload(client, "llamas.md", LLAMAS)
    assert response.status_code == 201
    report = response.json()
    assert (report["uri"], report["corpus"], report["added"], report["documents"]) == ("llamas.md", "default", 1, 4)
    document = (await client.get(response.headers["location"])).json()
    assert document["doc_id"] == report["doc_id"]
    assert document["title"] == "Llamas"
    assert "🦙" in document["text"]
    assert set(document) == {
        "doc_id", "uri", "title", "snapshot", "media_type", "language", "sha256", "modified", "text", "sections",
        "pages",
    }  # fmt: skip
    answer = (await client.post("/v1/chat", json={"question": "When does a llama hum?"})).json()
    assert any(claim["citations"][0]["uri"] == "llamas.md" for claim in answer["claims"])


async def test_the_same_name_replaces_and_old_snapshots_keep_the_old_text(client: httpx.AsyncClient) -> None:
    first = (await upload(client, "llamas.md", LLAMAS)).json()
    again = await upload(client, "llamas.md", LLAMAS)
    assert (again.status_code, again.json()["unchanged"], again.json()["snapshot"]) == (200, 1, first["snapshot"])
    second = (await upload(client, "llamas.md", "A llama has three stomachs.")).json()
    assert (second["changed"], second["documents"], second["doc_id"]) == (1, 4, first["doc_id"])
    url = f"/v1/documents/{first['doc_id']}"
    assert (await client.get(url)).json()["text"].strip() == "A llama has three stomachs."
    old = (await client.get(url, params={"snapshot": first["snapshot"]})).json()
    assert "hums" in old["text"]


async def test_an_upload_does_not_replace_a_file_of_a_folder(client: httpx.AsyncClient) -> None:
    response = await upload(client, "canary.md", "Canaries sing.")
    assert response.status_code == 422
    assert response.json()["code"] == "duplicate_uri"


async def test_a_folder_on_disk_may_take_over_an_upload(
    client: httpx.AsyncClient, corpus: Services, documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(documents.parent)
    (documents.parent / "upload").mkdir()  # a folder that is named as the source of uploads is
    (documents.parent / "upload" / "llamas.md").write_text("not it")
    await upload(client, "llamas.md", LLAMAS)
    assert (await upload(client, "llamas.md", "A llama has three stomachs.")).json()["changed"] == 1
    (documents / "llamas.md").write_text("A llama weighs 150 kilograms.")
    report = await asyncio.to_thread(corpus.ingestor.ingest, list_files([documents]), "default")
    assert (report.changed, report.quarantined) == (1, ())


async def test_a_file_that_cannot_be_read_says_why(client: httpx.AsyncClient) -> None:
    response = await upload(client, "broken.pdf", b"%PDF-1.7 and then nothing of the kind")
    assert response.status_code == 422
    body = response.json()
    assert (body["type"], body["code"], body["stage"]) == ("/problems/document-refused", "corrupt", "parse")
    assert "broken.pdf" in body["detail"]
    assert (await client.get("/v1/models")).status_code == 200


async def test_a_corpus_may_begin_with_an_upload(services: Services, client_of: Client) -> None:
    async with client_of(services) as client:
        assert (await client.post("/v1/chat", json={"question": "?"})).status_code == 404
        assert (await upload(client, "llamas.md", LLAMAS, corpus="animals")).status_code == 201
        answer = await client.post("/v1/chat", json={"question": "When does a llama hum?", "corpus": "animals"})
        assert answer.json()["passages"]
        assert [model["id"] for model in (await client.get("/v1/models")).json()["data"]] == ["assay", "assay/animals"]


async def test_forms_without_a_file_or_with_a_wrong_corpus_are_refused(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/documents", data={"file": "text"})).status_code == 422
    assert (await client.post("/v1/documents", json={"file": "text"})).status_code == 422
    assert (await upload(client, "a.md", "A word.", corpus="../etc")).status_code == 422
    two = await client.post("/v1/documents", files=[("file", ("a", b"a")), ("file", ("b", b"b"))])
    assert (two.status_code, two.json()["type"]) == (400, "/problems/bad-request")


async def test_uploads_take_turns_while_questions_go_on(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, entered, inside = threading.Event(), threading.Event(), []
    real = Ingestor.ingest

    def slow(self: Ingestor, *args: object, **named: object) -> object:
        inside.append(1)
        entered.set()
        assert free.wait(10)
        report = real(self, *args, **named)  # type: ignore[arg-type]
        inside.append(-1)
        return report

    monkeypatch.setattr(Ingestor, "ingest", slow)
    uploads = [asyncio.create_task(upload(client, f"{i}.md", f"Number {i} is here.")) for i in range(3)]
    await asyncio.to_thread(entered.wait, 10)
    assert (await client.post("/v1/chat", json={"question": "What is a canary?"})).status_code == 200
    assert inside == [1]
    free.set()
    responses = await asyncio.gather(*uploads)
    assert [response.status_code for response in responses] == [201] * 3
    assert inside == [1, -1] * 3


async def test_too_many_uploads_at_once_are_told_to_come_again(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = threading.Event()
    real = Ingestor.ingest

    def slow(self: Ingestor, *args: object, **named: object) -> object:
        assert free.wait(10)
        return real(self, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Ingestor, "ingest", slow)
    uploads = [asyncio.create_task(upload(client, f"{i}.md", f"Number {i} is here.")) for i in range(6)]
    await asyncio.wait(uploads, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    free.set()
    statuses = sorted(response.status_code for response in await asyncio.gather(*uploads))
    assert statuses == [201] * 4 + [429] * 2


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\notes.md", "notes.md"),
        ("..", "upload"),
        ("", "upload"),
        (".env", "env"),
        ("a\x00b\nc\u202e.txt", "abc.txt"),
        ("x" * 300 + ".docx", "x" * 195 + ".docx"),
        ("cafe\u0301.md", "café.md"),
    ],
)
def test_names_are_made_safe(name: str, uri: str) -> None:
    assert safe_name(name) == uri


@given(st.text(alphabet=st.characters(), max_size=400))
def test_any_name_becomes_a_plain_one(name: str) -> None:
    uri = safe_name(name)
    assert 0 < len(uri) <= MAX_NAME_CHARS
    assert "/" not in uri and "\\" not in uri and uri not in {".", ".."}
    assert not any(unicodedata.category(char)[0] == "C" for char in uri)
    uri.encode()
