"""Limits of a turn, daily budgets and hanging up, through a real server where it matters."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.bootstrap import Services
from app.http.server import create_app
from app.llm.scripted import ScriptedProvider
from app.settings import Settings, load_settings
from app.types import Usage
from tests.app.llm.upstream import Upstream, delta, sse
from tests.conftest import Build

from .conftest import Client
from .serving import running

QUESTION = "How much traffic does a canary release send to the new version?"
TRUE = "A canary release sends 1 percent of the traffic to the new version for one hour."
PRICES = "openai-compatible/tiny: {prompt: 1000, completion: 1000}\nscripted: {prompt: 1, completion: 1}\n"


@pytest.fixture
async def slow() -> AsyncIterator[Upstream]:
    """A model server that says one sentence and then nothing for a long time."""
    upstream = Upstream(script=[sse(delta(f"{TRUE}\n")), 30.0])
    server = await asyncio.start_server(upstream.answer, "127.0.0.1", 0)
    upstream.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    yield upstream
    server.close()


def served_by(upstream: Upstream, settings: Settings, **more: Any) -> Settings:
    llm = {"provider": "openai_compatible", "base_url": upstream.base_url, "model": "tiny"}
    return load_settings(home=settings.home, llm=llm, **more)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/v1/chat", "/v1/chat/completions"])
async def test_who_hangs_up_ends_the_call_upstream_within_a_second(
    build_services: Build, corpus: Services, settings: Settings, slow: Upstream, path: str, stream: bool
) -> None:
    services = build_services(given=served_by(slow, settings))
    body: dict[str, Any] = {"stream": stream}
    body |= {"messages": [{"role": "user", "content": QUESTION}]} if "completions" in path else {"question": QUESTION}

    async def ask(base_url: str) -> None:
        async with httpx.AsyncClient(timeout=30) as client, client.stream("POST", base_url + path, json=body) as said:
            async for _ in said.aiter_bytes():
                pass

    with running(create_app(services, require_key=False)) as base_url:
        asking = asyncio.create_task(ask(base_url))
        await asyncio.wait_for(slow.answering.wait(), 20)
        await asyncio.sleep(0.2)
        assert not slow.hung_up.is_set()
        began = time.monotonic()
        asking.cancel()
        await asyncio.wait_for(slow.hung_up.wait(), 1.0)
        assert time.monotonic() - began < 1.0


async def test_a_request_may_ask_for_an_earlier_end(
    build_services: Build, corpus: Services, settings: Settings, slow: Upstream, client_of: Client
) -> None:
    services = build_services(given=served_by(slow, settings))
    async with client_of(services) as client:
        began = time.monotonic()
        said = (await client.post("/v1/chat", json={"question": QUESTION, "deadline_s": 0.6})).json()
    assert time.monotonic() - began < 0.85
    assert (said["answer"], said["degraded"], said["provider"]) == (TRUE, ["cut_short"], "openai-compatible/tiny")
    await asyncio.wait_for(slow.hung_up.wait(), 1.0)
    await services.routes.close()


async def test_a_request_may_spend_less(
    build_services: Build, corpus: Services, settings: Settings, slow: Upstream, client_of: Client, tmp_path: Any
) -> None:
    (tmp_path / "prices.yaml").write_text(PRICES)
    given = served_by(slow, settings)
    llm = given.llm.model_copy(update={"prices": tmp_path / "prices.yaml"})
    services = build_services(given=given.model_copy(update={"llm": llm}))
    async with client_of(services) as client:
        body = {"model": "assay", "messages": [{"role": "user", "content": QUESTION}], "max_cost_usd": 0.01}
        await client.post("/v1/chat/completions", json=body)
        said = (await client.post("/v1/chat", json={"question": QUESTION, "max_cost_usd": 0.01})).json()
    assert (said["attempts"], said["cost_usd"], said["degraded"]) == (0, 0.0, ["extractive"])
    assert not slow.bodies
    await services.routes.close()


@pytest.mark.parametrize("wrong", [{"deadline_s": 0}, {"deadline_s": "soon"}, {"max_cost_usd": -1}])
async def test_limits_that_make_no_sense_are_refused(client: httpx.AsyncClient, wrong: dict[str, Any]) -> None:
    assert (await client.post("/v1/chat", json={"question": QUESTION, **wrong})).status_code == 422


@pytest.mark.parametrize("stream", [False, True])
async def test_a_key_that_has_spent_its_day_is_told_when_to_come_back(
    build_services: Build, corpus: Services, settings: Settings, client_of: Client, tmp_path: Any, stream: bool
) -> None:
    (tmp_path / "prices.yaml").write_text(PRICES)
    model = ScriptedProvider([TRUE] * 9, usage=Usage(600_000, 0))
    model.name = "openai-compatible/tiny"
    given = load_settings(
        home=settings.home, llm={"prices": tmp_path / "prices.yaml"}, spending={"usd_per_key_day": 1000}
    )
    services = build_services(provider=model, given=given)
    key, other = services.keys.create("alice"), services.keys.create("bob", usd_per_day=1.0)
    async with client_of(services, require_key=True) as client:

        async def ask(key: str) -> httpx.Response:
            body = {"question": QUESTION, "stream": stream}
            return await client.post("/v1/chat", json=body, headers={"Authorization": f"Bearer {key}"})

        assert [(await ask(key)).status_code for _ in range(3)] == [200, 200, 429]
        assert [(await ask(other)).status_code for _ in range(2)] == [200, 429]
        refused = await ask(key)
    assert refused.json()["type"] == "/problems/budget-spent" and "alice" in refused.json()["detail"]
    assert 0 < int(refused.headers["Retry-After"]) <= 86_400
    spent = {row.payer: row.spent_usd for row in services.spending.of_day()}
    assert spent == {"alice": 1200.0, "bob": 600.0, "*": 1800.0}
