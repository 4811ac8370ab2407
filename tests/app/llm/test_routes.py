"""Which model does what, from settings."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.costs import load_prices
from app.errors import ConfigError
from app.llm.extractive import Extractive
from app.llm.openai_compatible import OpenAICompatible
from app.llm.resilient import Resilient
from app.llm.routes import Routes, ensure_priced, open_routes
from app.releases import describe
from app.settings import Settings, load_settings
from retrieval.embedders.hashing import HashingEmbedder
from tests.conftest import Build

DOCS = Path(__file__).parents[3] / "docs" / "models.md"
EXTRACTIVE = Extractive(HashingEmbedder().embed_passages, ThreadPoolExecutor(1))
AZURE = {
    "base_url": "https://mine.openai.azure.com/openai/deployments/gpt-4o",
    "model": "gpt-4o",
    "api_key": "k",
    "key_header": "api-key",
    "query": {"api-version": "2024-10-21"},
}
MODELS = {"large": AZURE, "small": {"model": "gpt-4o-mini", "timeout_s": 5, "first_token_s": 2}}


def routes_of(**llm: Any) -> Routes:
    return open_routes(load_settings(llm=llm).llm, EXTRACTIVE)


def names(provider: object) -> list[str]:
    assert isinstance(provider, Resilient)
    return [target.provider.name for target in provider.targets]


def test_by_default_no_model_is_asked() -> None:
    routes = routes_of()
    assert routes.answering is routes.rewriting is routes.routing is EXTRACTIVE and routes.smaller is None


def test_the_simple_settings_describe_the_one_model_that_does_everything() -> None:
    routes = routes_of(provider="openai_compatible", model="tiny", first_token_s=3)
    assert names(routes.answering) == ["openai-compatible/tiny"]
    assert routes.rewriting is routes.answering is routes.routing
    assert routes.answering.targets[0].first_token_s == 3  # type: ignore[attr-defined]


def test_each_route_has_its_models_and_a_model_one_circuit() -> None:
    routes = routes_of(
        models=MODELS, routes={"answering": ["large", "small"], "smaller": "small", "rewriting": "small"}
    )
    assert names(routes.answering) == ["openai-compatible/gpt-4o", "openai-compatible/gpt-4o-mini"]
    assert (
        names(routes.rewriting) == names(routes.routing) == names(routes.smaller) == ["openai-compatible/gpt-4o-mini"]
    )
    assert routes.answering.targets[1] is routes.smaller.targets[0]  # type: ignore[union-attr, attr-defined]
    assert routes.answering.retries is routes.rewriting.retries  # type: ignore[attr-defined]


def test_a_small_model_may_rewrite_for_the_extractive_answerer() -> None:
    routes = routes_of(models=MODELS, routes={"rewriting": "small"})
    assert routes.answering is EXTRACTIVE and names(routes.rewriting) == ["openai-compatible/gpt-4o-mini"]


def test_a_route_to_nowhere_is_named() -> None:
    with pytest.raises(ConfigError, match=r"routes\.answering names 'huge'.*large, small"):
        routes_of(models=MODELS, routes={"answering": "huge"})


def test_a_ceiling_needs_a_price_for_every_model() -> None:
    routes = routes_of(models=MODELS, routes={"answering": ["large", "small"]})
    ensure_priced(routes, load_prices())
    with pytest.raises(ConfigError, match=r"'openai-compatible/mine' has no price.*llm\.prices"):
        ensure_priced(routes_of(provider="openai_compatible", model="mine"), load_prices())


async def test_routes_close_what_they_opened() -> None:
    routes = routes_of(models=MODELS, routes={"answering": ["large"], "smaller": "small"})
    await routes.close()
    for route in (routes.answering, routes.smaller):
        assert isinstance(route, Resilient)
        provider = route.targets[0].provider
        assert isinstance(provider, OpenAICompatible) and provider._client.is_closed()


def test_keys_of_named_models_come_from_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("assay.yaml").write_text("llm: {models: {large: {model: gpt-4o}}, routes: {answering: large}}\n", "utf-8")
    monkeypatch.setenv("ASSAY_LLM__MODELS__large__API_KEY", "sk-very-secret")
    settings = load_settings()
    key = settings.llm.models["large"].api_key
    assert key is not None and key.get_secret_value() == "sk-very-secret" and "very-secret" not in repr(settings)
    assert settings.llm.models["large"].model == "gpt-4o" and settings.llm.routes.answering == ("large",)


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL))
def test_the_examples_of_the_docs_are_settings_or_prices(text: str, tmp_path: Path) -> None:
    if "prompt:" in text:
        (tmp_path / "prices.yaml").write_text(text, "utf-8")
        assert len(load_prices(tmp_path / "prices.yaml")) > len(load_prices())
        return
    Path("assay.yaml").write_text(text, "utf-8")
    stated = yaml.safe_load(text)
    told = load_settings().model_dump(mode="json")
    assert {name: told[name] for name in stated} != {name: Settings.model_fields[name].default for name in stated}


async def test_a_release_tells_the_routes_and_no_secret(build_services: Build, settings: Settings) -> None:
    llm = {"models": MODELS, "routes": {"answering": ["large", "small"]}}
    given = load_settings(home=settings.home, llm=llm)
    services = build_services(given=given)
    release = describe(services.pipeline, given)
    assert release.provider == "openai-compatible/gpt-4o"
    assert release.settings["llm.routes.answering"] == "('large', 'small')"
    assert release.settings["llm.models.large"] == "openai_compatible gpt-4o"
    assert "api_key" not in str(release) and "azure" not in str(release)
    await services.routes.close()
