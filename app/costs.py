"""What a turn costs: tokens times the price table of app/prices.yaml, or one of your own."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from app.errors import ConfigError
from app.types import Usage

SHIPPED = Path(__file__).parent / "prices.yaml"
_FREE = ("scripted", "local/*")
_NO_MODEL = "extractive"
_MILLION = 1_000_000


class Price(BaseModel):
    """USD per million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: float = Field(ge=0, allow_inf_nan=False)
    completion: float = Field(ge=0, allow_inf_nan=False)


_TABLE = TypeAdapter(dict[str, Price])


def cost_usd(provider: str, usage: Usage, prices: Mapping[str, Price]) -> float | None:
    """What a turn cost.

    Args:
        provider: As `ChatResult.provider` names it.
        usage: Tokens of the turn.
        prices: By provider; a name that ends in * stands for all that begin so, the longest wins.

    Returns:
        USD; 0 for what runs here, None where the price is not known: that is never 0. Tokens of a turn that fell back
        to the extractive provider were used by a model that the result does not name, so their price is not known.
    """
    if provider == _NO_MODEL:
        return None if usage.prompt_tokens or usage.completion_tokens else 0.0
    if any(_fits(name, provider) for name in _FREE):
        return 0.0
    fitting = [name for name in prices if _fits(name, provider)]
    if not fitting:
        return None
    price = prices[max(fitting, key=lambda name: (name == provider, len(name)))]
    return (usage.prompt_tokens * price.prompt + usage.completion_tokens * price.completion) / _MILLION


def total_usd(used: Mapping[str, Usage], prices: Mapping[str, Price]) -> float | None:
    """What several providers cost together, by their names; None where the price of one is not known."""
    total = 0.0
    for provider, usage in used.items():
        cost = cost_usd(provider, usage, prices)
        if cost is None:
            return None
        total += cost
    return total


@cache
def load_prices(path: Path | None = None) -> Mapping[str, Price]:
    """The shipped price table, or that of a file, whose lines then win over the shipped ones.

    Raises:
        ConfigError: The file cannot be read or is no price table; the message names key and fault.
    """
    shipped = _read(SHIPPED)
    return shipped if path is None else {**shipped, **_read(path)}


def _read(path: Path) -> dict[str, Price]:
    try:
        return _TABLE.validate_python(yaml.safe_load(path.read_text("utf-8")) or {})
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The price table {path} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"The price table {path} is not YAML: {error}") from None
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc'])) or 'file'}: {item['msg']}" for item in error.errors())
        hint = "Each line is `provider: {prompt: USD, completion: USD}` per million tokens."
        raise ConfigError(f"The price table {path} is wrong: {wrong}. {hint}") from None


def _fits(name: str, provider: str) -> bool:
    return provider.startswith(name[:-1]) if name.endswith("*") else provider == name
