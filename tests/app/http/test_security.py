import asyncio
import re
import socket
from pathlib import Path

import httpx
import pytest

from app.bootstrap import Services
from app.errors import ConfigError
from app.http import pages
from app.http.middleware import is_loopback
from app.http.serve import address, keys_required, listen, serve
from app.settings import load_settings
from tests.app.http.conftest import Client

PAGE = Path(pages.__file__).parent.parent / "web"
API = [
    ("POST", "/v1/chat"),
    ("POST", "/v1/chat/completions"),
    ("GET", "/v1/models"),
    ("POST", "/v1/documents"),
    ("GET", "/v1/documents/1"),
    ("POST", "/v1/feedback"),
    ("GET", "/v1/openapi.json"),
    ("GET", "/nowhere"),
    ("GET", "/statics"),
]


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:8000", "localhost.evil.example", "", "[::2]", "[x"]
)
async def test_a_foreign_host_is_refused(client: httpx.AsyncClient, host: str) -> None:
    for path in ("/", "/v1/models", "/readyz"):
        response = await client.get(path, headers={"host": host})
        assert (response.status_code, response.json()["type"]) == (421, "/problems/foreign-host")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8000", "LOCALHOST", "[::1]:8000", "127.8.8.8"])
async def test_loopback_names_are_served(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/v1/models", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:3000", "https://127.0.0.1:8000", ""]
)
async def test_a_foreign_origin_is_refused(client: httpx.AsyncClient, origin: str) -> None:
    response = await client.post("/v1/chat", json={"question": "?"}, headers={"origin": origin})
    assert (response.status_code, response.json()["type"]) == (403, "/problems/foreign-origin")


async def test_the_own_origin_is_served(client: httpx.AsyncClient) -> None:
    headers = {"origin": "http://127.0.0.1:8000"}
    assert (await client.post("/v1/chat", json={"question": "?"}, headers=headers)).status_code == 200


@pytest.mark.parametrize(("method", "path"), API)
async def test_the_api_needs_a_key(corpus: Services, client_of: Client, method: str, path: str) -> None:
    async with client_of(corpus, require_key=True) as client:
        for headers in (
            {},
            {"authorization": "Bearer wrong"},
            {"authorization": "Basic eDp5"},
            {"authorization": "Bearer"},
        ):
            response = await client.request(method, path, headers=headers)
            assert (response.status_code, response.json()["type"]) == (401, "/problems/key-required")
            assert response.headers["www-authenticate"].startswith("Bearer")


async def test_a_key_opens_the_api_and_a_revoked_one_does_not(corpus: Services, client_of: Client) -> None:
    key = corpus.keys.create("ci")
    async with client_of(corpus, require_key=True) as client:
        headers = {"authorization": f"Bearer {key}", "host": "assay.example", "origin": "https://elsewhere.example"}
        assert (await client.get("/v1/models", headers=headers)).status_code == 200
        corpus.keys.revoke("ci")
        assert (await client.get("/v1/models", headers=headers)).status_code == 401


async def test_health_and_the_page_are_open_and_tell_nothing(corpus: Services, client_of: Client) -> None:
    async with client_of(corpus, require_key=True) as client:
        for path in ("/healthz", "/", "/static/assay.js", "/static/assay.css"):
            response = await client.get(path)
            assert response.status_code == 200
            assert "default" not in response.text or path.startswith("/static")
        assert (await client.get("/readyz")).status_code == 503


async def test_the_policy_forbids_whatever_is_not_ours(client: httpx.AsyncClient) -> None:
    for path in ("/", "/nowhere", "/v1/models", "/static/assay.js"):
        headers = (await client.get(path)).headers
        assert headers["content-security-policy"] == (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
            "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert "camera=()" in headers["permissions-policy"]
        assert headers["x-request-id"]
    assert (await client.get("/v1/models")).headers["cache-control"] == "no-store"


def test_the_page_has_no_inline_code_and_never_makes_html_of_text() -> None:
    html = (PAGE / "templates/index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\son\w+=|\sstyle=|javascript:|<script(?![^>]*\bsrc=)", html)
    for script in (PAGE / "static").glob("*.js"):
        forbidden = (
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|https?://(?!www\.w3\.org)"
        )
        assert not re.search(forbidden, script.read_text(encoding="utf-8")), script.name


def test_beyond_loopback_a_key_must_exist(services: Services) -> None:
    assert keys_required("127.0.0.1", services.keys) is False
    for host in ("0.0.0.0", "::", "192.168.1.5", "assay.example"):
        with pytest.raises(ConfigError, match="assay keys create NAME"):
            keys_required(host, services.keys)
    services.keys.create("ops")
    assert keys_required("0.0.0.0", services.keys) is True
    assert keys_required("127.0.0.1", services.keys) is True


def test_serve_refuses_before_it_listens(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home", port=0, http={"host": "0.0.0.0"})
    with pytest.raises(ConfigError, match="assay keys create NAME"):
        serve(settings)


def test_a_taken_port_is_a_setting_to_mend() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigError, match="ASSAY_PORT"):
        listen("127.0.0.1", taken.getsockname()[1])


def test_addresses_are_written_as_browsers_want_them() -> None:
    assert address(load_settings(port=8001)) == "http://127.0.0.1:8001"
    assert address(load_settings(http={"host": "::1"})) == "http://[::1]:8000"
    assert [is_loopback(name) for name in ("::1", "127.0.0.2", "localhost", "example.org", "")] == [True] * 3 + [
        False
    ] * 2


async def test_the_access_log_holds_no_query(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="app.http.access"):
        await client.get("/v1/documents/1?snapshot=secret")
        await asyncio.sleep(0)
    assert "/v1/documents/1" in caplog.text
    assert "secret" not in next(record for record in caplog.records if record.name == "app.http.access").getMessage()
