from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.costs import Price, cost_usd, load_prices
from app.errors import ConfigError
from app.types import Usage

PRICES = {
    "openai-compatible/a": Price(prompt=2.0, completion=8.0),
    "openai-compatible/*": Price(prompt=1.0, completion=1.0),
    "openai-compatible/a-mini*": Price(prompt=0.5, completion=0.5),
}
MILLION = Usage(1_000_000, 1_000_000)


@pytest.mark.parametrize(
    ("provider", "usd"),
    [
        ("openai-compatible/a", 10.0),
        ("openai-compatible/a-mini-2", 1.0),
        ("openai-compatible/b", 2.0),
        ("elsewhere/a", None),
        ("scripted", 0.0),
        ("local/tiny", 0.0),
    ],
)
def test_costs(provider: str, usd: float | None) -> None:
    assert cost_usd(provider, MILLION, PRICES) == (None if usd is None else pytest.approx(usd))


def test_an_unknown_price_is_not_zero_even_without_tokens() -> None:
    assert cost_usd("elsewhere/a", Usage(), PRICES) is None


def test_a_turn_that_fell_back_does_not_pretend_that_its_tokens_were_free() -> None:
    assert cost_usd("extractive", Usage(), PRICES) == 0.0
    assert cost_usd("extractive", Usage(10, 0), PRICES) is None


def test_the_shipped_table_is_read_and_a_table_of_ones_own_wins(tmp_path: Path) -> None:
    own = tmp_path / "prices.yaml"
    own.write_text(
        "openai-compatible/gpt-4o: {prompt: 7, completion: 7}\nmine/*: {prompt: 1, completion: 1}\n", "utf-8"
    )
    assert {"openai-compatible/gpt-4o", "openai-compatible/gpt-4o-mini"} <= load_prices().keys()
    assert load_prices(own)["openai-compatible/gpt-4o"] == Price(prompt=7, completion=7)
    assert load_prices(own)["mine/*"].prompt == 1
    assert "openai-compatible/gpt-4o-mini" in load_prices(own)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: {prompt: 1}", "a.completion: Field required"),
        ("a: {prompt: -1, completion: 1}", "a.prompt: Input should be greater than or equal to 0"),
        ("a: {prompt: .nan, completion: 1}", "a.prompt"),
        ("a: {prompt: 1, completion: 1, per: day}", "a.per"),
        ("- a", "file: "),
        ("a: [", "is not YAML"),
    ],
)
def test_a_wrong_table_says_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        load_prices(path)
    assert says in str(raised.value)
    assert "own.yaml" in str(raised.value)


def test_a_missing_table_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_prices(tmp_path / "none.yaml")


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_costs_add_up(prompt: int, completion: int) -> None:
    whole = cost_usd("openai-compatible/a", Usage(prompt, completion), PRICES)
    parts = [cost_usd("openai-compatible/a", usage, PRICES) for usage in (Usage(prompt, 0), Usage(0, completion))]
    assert whole == pytest.approx(sum(part or 0.0 for part in parts))
