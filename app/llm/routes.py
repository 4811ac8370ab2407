"""From settings to the models that answer, rewrite and route. Their libraries are imported only here."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.costs import Price, cost_usd
from app.errors import ConfigError
from app.llm.breaker import Breaker
from app.llm.config import Connection, LLMSettings
from app.llm.port import Provider
from app.llm.resilient import Backoff, Resilient, Target
from app.llm.retries import RetryBudget
from app.types import Usage

ITSELF = ""
"""The model that `llm` itself describes, among those that have names."""


@dataclass(frozen=True, slots=True)
class Routes:
    """Which provider does what. All share one retry budget, and a model has one circuit wherever it is used."""

    answering: Provider
    rewriting: Provider
    routing: Provider
    smaller: Provider | None = None

    async def close(self) -> None:
        """Close what the models hold open."""
        for provider in {
            id(made): made for made in (self.answering, self.rewriting, self.routing, self.smaller)
        }.values():
            if isinstance(provider, Resilient):
                await provider.close()


def single(provider: Provider) -> Routes:
    """One provider for everything, as it is."""
    return Routes(provider, provider, provider)


def open_routes(settings: LLMSettings, extractive: Provider) -> Routes:
    """The providers that the settings name; `extractive` where they name no model.

    Raises:
        ConfigError: A model's library or weights are missing.
    """
    named, made = settings.routes, _Maker(settings)
    itself = (ITSELF,) if settings.provider != "extractive" else ()
    first = named.answering or itself
    answering = made.chain(first) if first else extractive
    rewriting = made.chain(named.rewriting) if named.rewriting else answering
    routing = made.chain(named.routing) if named.routing else rewriting
    return Routes(answering, rewriting, routing, made.chain(named.smaller) if named.smaller else None)


def ensure_priced(routes: Routes, prices: Mapping[str, Price]) -> None:
    """See to it that a cost ceiling can be kept.

    Raises:
        ConfigError: A model has no price.
    """
    for route in (routes.answering, routes.smaller, routes.rewriting):
        for target in route.targets if isinstance(route, Resilient) else ():
            if cost_usd(target.provider.name, Usage(1, 1), prices) is None:
                raise ConfigError(
                    f"Money is limited, and '{target.provider.name}' has no price. Give it one in a file that "
                    "llm.prices names: `NAME: {prompt: USD, completion: USD}` per million tokens."
                )


class _Maker:
    """Makes each model once."""

    def __init__(self, settings: LLMSettings) -> None:
        rules = settings.retry
        self._settings = settings
        self._retries = RetryBudget(rules.ratio, rules.window_s, rules.spare)
        self._targets: dict[str, Target] = {}

    def chain(self, names: tuple[str, ...]) -> Resilient:
        targets = tuple(self._target(name) for name in names)
        return Resilient(targets, self._retries, Backoff(self._settings.retry.attempts))

    def _target(self, name: str) -> Target:
        if name not in self._targets:
            stated: Connection = self._settings if name == ITSELF else self._settings.models[name]
            rules = self._settings.retry
            provider = _provider(stated, self._kind(name), self._settings.max_tokens)
            breaker = Breaker(rules.failures, rules.open_s)
            self._targets[name] = Target(provider, stated.first_token_s, stated.stall_s, breaker)
        return self._targets[name]

    def _kind(self, name: str) -> str:
        return self._settings.provider if name == ITSELF else self._settings.models[name].provider


def _provider(stated: Connection, kind: str, max_tokens: int) -> Provider:
    if kind == "local":
        from app.llm.local import LocalLLM

        return LocalLLM(None, max_tokens)
    if kind == "llama_index":
        from app.llm.llama_index import LlamaIndexLLM

        return LlamaIndexLLM.named(stated.factory, stated.timeout_s)
    from app.llm.openai_compatible import Manner, OpenAICompatible

    manner = Manner(stated.query, stated.key_header)
    return OpenAICompatible(stated.base_url, stated.model, stated.api_key, stated.timeout_s, manner=manner)
