"""GET /v1/turns/{id}/lineage: for the tenant that asked, with the groups that it asked with."""

from pathlib import Path

from app.bootstrap import Services
from retrieval.files import SourceFile
from retrieval.types import Access, Labels
from tests.app.http.conftest import Client

QUESTION = "How high is the harbour fee of the board?"


def bearer(services: Services, name: str, tenant: str, *groups: str) -> dict[str, str]:
    return {"authorization": f"Bearer {services.keys.create(name, Access(tenant, frozenset(groups)))}"}


async def test_who_asked_gets_the_lineage_and_nobody_else(
    services: Services, client_of: Client, tmp_path: Path
) -> None:
    path = tmp_path / "board.txt"
    path.write_text("The harbour fee of the board is 22 euros a night.", encoding="utf-8")
    services.ingestor.ingest([SourceFile("board.txt", path, "/srv/docs", Labels("acme", ("board",)))], "default")
    keys = {
        "asked": bearer(services, "a", "acme", "board"),
        "colleague": bearer(services, "c", "acme"),
        "director": bearer(services, "d", "acme", "board", "owners"),
        "stranger": bearer(services, "s", "zenith", "board"),
    }
    async with client_of(services, require_key=True) as client:
        answer = await client.post("/v1/chat", json={"question": QUESTION}, headers=keys["asked"])
        turn = answer.json()["turn_id"]
        got = {who: await client.get(f"/v1/turns/{turn}/lineage", headers=key) for who, key in keys.items()}
        none = await client.get(f"/v1/turns/{'0' * 32}/lineage", headers=keys["stranger"])
    assert {who: response.status_code for who, response in got.items()} == {
        "asked": 200, "director": 200, "colleague": 404, "stranger": 404,
    }  # fmt: skip
    unknown, absent = got["stranger"].json(), none.json()
    assert unknown["type"] == absent["type"] == "/problems/turn-not-found"
    assert unknown["detail"].replace(turn, "") == absent["detail"].replace("0" * 32, "")
    found = got["asked"].json()
    assert "22 euros" in found["quotes"][0]["quote"] and found["documents"][0]["uri"] == "board.txt"
    assert found["snapshot"]["transforms"]["parser"] and found["turn"]["release"]["id"]


async def test_the_machine_s_folders_accounts_and_settings_stay_here(corpus: Services, client_of: Client) -> None:
    async with client_of(corpus) as client:
        turn = (await client.post("/v1/chat", json={"question": "canary traffic percent"})).json()["turn_id"]
        response = await client.get(f"/v1/turns/{turn}/lineage")
    assert response.status_code == 200
    found = response.json()
    assert str(corpus.settings.home.parent) not in response.text
    assert "hmac" not in response.text and "settings" not in response.text and "who" not in response.text
    assert found["turn"]["answer_sha256"]
