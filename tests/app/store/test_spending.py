"""Daily budgets hold, whoever asks at the same time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from app.bootstrap import Services
from app.budget import Budget
from app.costs import Price
from app.errors import BudgetSpent, ConfigError
from app.settings import SpendingSettings
from app.store.spending import DailySpending
from app.types import ChatRequest, Usage

pytestmark = pytest.mark.both_databases
PRICES = {"model": Price(prompt=1, completion=1)}
LATE = datetime(2026, 3, 1, 23, 0, 0, tzinfo=UTC)
Open = Callable[..., DailySpending]


@pytest.fixture
def opened(services: Services) -> Open:
    def make(**limits: float) -> DailySpending:
        return DailySpending(
            services.spending.engine, services.spending.executor, SpendingSettings(**limits), lambda: LATE
        )

    return make


async def turn(spending: DailySpending, payer: str, ceiling: float | None, tokens: int) -> None:
    budget = Budget(max_cost_usd=ceiling, prices=PRICES)
    async with spending.around(ChatRequest("?", payer=payer), budget):
        budget.begin("model").usage = Usage(tokens, 0)


async def test_a_turn_pays_what_it_cost_and_not_what_it_reserved(opened: Open) -> None:
    spending = opened(usd_per_day=10)
    await turn(spending, "alice", 3.0, 1_000_000)
    await turn(spending, "", 3.0, 61)
    rows = {row.payer: (row.spent_usd, row.reserved_usd) for row in spending.of_day()}
    assert rows == {"alice": (1.0, 0.0), "": (0.000061, 0.0), "*": (1.000061, 0.0)}
    assert spending.of_day("2026-02-28") == []


async def test_a_key_that_has_spent_its_day_waits_until_midnight(opened: Open) -> None:
    spending = opened(usd_per_key_day=1.5)
    await turn(spending, "alice", 1.0, 1_000_000)
    with pytest.raises(BudgetSpent, match=r"key 'alice' may spend 1\.5 USD") as spent:
        await turn(spending, "alice", 1.0, 1)
    assert spent.value.retry_after_s == 3600
    await turn(spending, "alice", 0.5, 500_000)
    await turn(spending, "bob", 1.0, 1)
    with pytest.raises(BudgetSpent):
        await turn(spending, "alice", None, 1)


async def test_a_key_may_have_a_ceiling_of_its_own(opened: Open, services: Services) -> None:
    services.keys.create("rich", usd_per_day=5.0)
    services.keys.create("poor", usd_per_day=0.0)
    spending = opened(usd_per_key_day=1.0)
    await turn(spending, "rich", 4.0, 1)
    with pytest.raises(BudgetSpent, match="may spend 0 USD"):
        await turn(spending, "poor", 0.1, 1)
    with pytest.raises(ConfigError, match="needs a name"):
        services.keys.create("*")


async def test_the_service_has_one_ceiling_over_all_keys_and_a_refusal_reserves_nothing(opened: Open) -> None:
    spending = opened(usd_per_day=2.0)
    await turn(spending, "alice", 2.0, 1_500_000)
    with pytest.raises(BudgetSpent, match="The service"):
        await turn(spending, "bob", 1.0, 1)
    assert all(row.reserved_usd == 0 for row in spending.of_day())
    assert [row.payer for row in spending.of_day()] == ["*", "alice"], "both rows or neither"


async def test_turns_at_once_never_spend_more_than_the_day_has(opened: Open) -> None:
    spending = opened(usd_per_day=1.0)
    together = ThreadPoolExecutor(8)
    many = DailySpending(spending.engine, together, spending.settings, lambda: LATE)
    done = await asyncio.gather(*(turn(many, f"k{i % 3}", 0.1, 100_000) for i in range(30)), return_exceptions=True)
    together.shutdown()
    assert sum(result is None for result in done) == 10
    assert all(isinstance(result, BudgetSpent) for result in done if result is not None)
    (everyone,) = [row for row in many.of_day() if row.payer == "*"]
    assert (everyone.spent_usd, everyone.reserved_usd) == (1.0, 0.0)


async def test_a_turn_that_is_cancelled_pays_and_gives_back(opened: Open) -> None:
    spending = opened(usd_per_day=1.0)

    reserved = asyncio.Event()

    async def hang() -> None:
        budget = Budget(max_cost_usd=0.5, prices=PRICES)
        async with spending.around(ChatRequest("?"), budget):
            budget.begin("model").usage = Usage(200_000, 0)
            reserved.set()
            await asyncio.sleep(30)

    task = asyncio.create_task(hang())
    await reserved.wait()
    assert {row.reserved_usd for row in spending.of_day()} == {0.5}
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (everyone,) = [row for row in spending.of_day() if row.payer == "*"]
    assert (everyone.spent_usd, everyone.reserved_usd) == (0.2, 0.0)


async def test_without_a_ceiling_a_turn_counts_when_it_ends(opened: Open) -> None:
    spending = opened(usd_per_day=1.0)
    await turn(spending, "", None, 1_000_000)
    with pytest.raises(BudgetSpent):
        await turn(spending, "", None, 1)
