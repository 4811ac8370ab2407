"""A server behind the service goes away: the caller is told to try again and nothing about hosts, and then it works."""

import psycopg
import pytest

from app.bootstrap import Services
from tests.app.http.conftest import Client


@pytest.mark.parametrize("settings", ["postgres"], indirect=True)
async def test_lost_connections_are_a_503_and_then_gone(corpus: Services, client_of: Client, postgres_url: str) -> None:
    asked = {"question": "What share of the traffic does a canary release get?"}
    async with client_of(corpus) as client:
        assert (await client.post("/v1/chat", json=asked)).status_code == 200
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        lost = await client.post("/v1/chat", json=asked)
        assert lost.status_code == 503 and lost.headers["Retry-After"]
        assert lost.json()["type"] == "/problems/store-unavailable"
        assert "server" not in lost.text and "/tmp" not in lost.text
        assert (await client.post("/v1/chat", json=asked)).status_code == 200
