import ast
import logging
import re
from pathlib import Path

import httpx
import pytest

from app.bootstrap import Services
from app.errors import AssayError, ProviderError, ProviderTimeout
from app.http import failures
from app.http.failures import KINDS, problem
from retrieval.errors import CorpusNotFound
from tests.app.http.conftest import Client

ROOT = Path(__file__).parents[3]


def check(response: httpx.Response, status: int, slug: str) -> dict[str, object]:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["type"] == f"/problems/{slug}"
    assert body["status"] == status
    assert body["instance"] == f"urn:uuid:{response.headers['x-request-id']}"
    assert body["title"] and body["detail"]
    return body


def test_classes_are_looked_up_by_mro() -> None:
    class Special(ProviderTimeout):
        pass

    assert problem(Special("x"), {}).status == 504
    assert problem(ProviderError("x"), {}).status == 502
    assert problem(AssayError("x"), {}).status == 500
    assert problem(CorpusNotFound("The corpus 'x' is empty."), {}).body["detail"] == "The corpus 'x' is empty."


def test_messages_for_logs_are_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    for error in (ProviderError("http://10.0.0.7 key sk-1"), ValueError("sk-1")):
        found = problem(error, {})
        assert "sk-1" not in str(found.body)
        assert found.body["instance"] in caplog.text
    assert "sk-1" in caplog.text


def test_types_are_documented_and_differ() -> None:
    documented = set(re.findall(r"/problems/([a-z-]+)", (ROOT / "docs/http.md").read_text(encoding="utf-8")))
    slugs = [kind.slug for kind in KINDS.values()]
    assert len(set(slugs)) == len(slugs)
    assert documented >= {*slugs, *failures._OF_STATUS.values(), "http-error"}


def test_nothing_below_this_door_knows_http() -> None:
    for room in ("app", "retrieval"):
        for path in (ROOT / room).rglob("*.py"):
            if path.is_relative_to(ROOT / "app/http") or path == ROOT / "app/commands/serve.py":
                continue
            names = {
                node.module or "" for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)
            }
            assert not any(name.startswith("app.http") for name in names), path


async def test_http_errors_are_problems(client: httpx.AsyncClient) -> None:
    check(await client.get("/nowhere"), 404, "not-found")
    check(await client.get("/static/nowhere.js"), 404, "not-found")
    response = await client.get("/v1/chat")
    check(response, 405, "method-not-allowed")
    assert response.headers["allow"] == "POST"


async def test_unknown_things_are_problems(client: httpx.AsyncClient) -> None:
    body = check(await client.post("/v1/chat", json={"question": "?", "corpus": "empty"}), 404, "corpus-not-found")
    assert "assay ingest" in str(body["detail"])
    check(
        await client.post("/v1/chat", json={"question": "?", "corpus": "empty", "stream": True}),
        404,
        "corpus-not-found",
    )
    check(await client.get("/v1/documents/0000"), 404, "document-not-found")
    check(await client.post("/v1/feedback", json={"turn_id": "0", "rating": "up"}), 404, "turn-not-found")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"question": ""},
        {"question": "  "},
        {"question": 7},
        {"question": "?", "secret-member": 1},
        {"question": "?", "corpus": "../etc"},
        {"question": "?", "history": [{"role": "system", "content": "x"}]},
        {"question": "secret", "history": "secret"},
        [],
    ],
)
async def test_invalid_bodies_are_refused_without_an_echo(client: httpx.AsyncClient, body: object) -> None:
    found = check(await client.post("/v1/chat", json=body), 422, "invalid-request")
    assert found["errors"]
    assert "input" not in str(found["errors"][0].keys())
    assert "../etc" not in str(found)


@pytest.mark.parametrize("raw", [b"{not json", b'{"question": "\\ud800"}', b"\xff\xfe", b'{"question": NaN}', b""])
async def test_broken_bodies_are_refused(client: httpx.AsyncClient, raw: bytes) -> None:
    response = await client.post("/v1/chat", content=raw, headers={"content-type": "application/json"})
    assert response.status_code in (400, 422)
    assert response.headers["content-type"] == "application/problem+json"


async def test_a_bug_is_a_500_with_an_id_that_the_log_knows(
    corpus: Services, client_of: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret: the password is hunter2")

    monkeypatch.setattr(type(corpus.corpora), "version_in", broken)
    with caplog.at_level(logging.ERROR):
        async with client_of(corpus) as client:
            response = await client.get("/v1/documents/1")
    body = check(response, 500, "internal-error")
    assert "hunter2" not in response.text and "Traceback" not in response.text
    assert str(body["instance"]) in caplog.text
    assert "hunter2" in caplog.text
    assert response.headers["content-security-policy"]
