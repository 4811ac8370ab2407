"""What each API key and the whole service spent on models, by UTC day."""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Engine, select, update

from app.afterwards import written
from app.budget import Budget
from app.errors import BudgetSpent
from app.settings import SpendingSettings
from app.store.tables import api_keys, spending
from app.types import ChatRequest
from retrieval.store.statements import insert_or_ignore

EVERYONE = "*"
"""The row of the whole service. Names of keys may not be this one."""
_MOST_WAIT_S = 5.0
_NANO = 1_000_000_000
"""Money is kept in whole billionths of a dollar: sums of floats drift, and a short turn costs 0.00006."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Spent:
    """What a payer spent in a day, and what turns in progress may still spend, in USD."""

    payer: str
    day: str
    spent_usd: float
    reserved_usd: float


@dataclass(frozen=True, slots=True)
class DailySpending:
    """Holds keys and service to what they may spend in a UTC day, however many processes and turns there are.

    A turn reserves its cost ceiling before it begins and pays what it cost when it ends. What a process that dies had
    reserved stays reserved until the day is over.
    """

    engine: Engine
    executor: Executor
    settings: SpendingSettings
    now: Callable[[], datetime] = field(default=_now)

    @asynccontextmanager
    async def around(self, request: ChatRequest, budget: Budget) -> AsyncGenerator[None]:
        """Reserve what a turn may cost, and pay what it did.

        Without a cost ceiling nothing can be reserved: turns in flight then count when they end.

        Raises:
            BudgetSpent: What the key or the service may still spend today is less than that.
        """
        loop = asyncio.get_running_loop()
        payer, day, ceiling = request.payer, f"{self.now():%Y-%m-%d}", budget.max_cost_usd or 0.0
        reserved = await loop.run_in_executor(self.executor, self.reserve, payer, day, ceiling)
        try:
            yield
        finally:
            cost = budget.cost_usd()
            if cost is None:  # no price, no ceiling: a ceiling is not set without prices (`ensure_priced`)
                cost = reserved
            if cost or reserved:
                # Handed over at once: it is written even where the task that waits for it is cancelled meanwhile.
                paid = loop.run_in_executor(self.executor, self.settle, payer, day, reserved, cost)
                await written(paid, min(budget.left_s(), _MOST_WAIT_S))

    def reserve(self, payer: str, day: str, usd: float) -> float:
        """Set money of a day aside, of the payer's and of everyone's, both or neither; none where neither is limited.

        Raises:
            BudgetSpent: There is not so much left; of nothing at all, that the day's money is spent.
        """
        with self.engine.connect() as db:
            ceilings = self._ceilings(db, payer)
            if not usd:
                self._ensure_left(db, ceilings, day)
        if not usd or not any(limit is not None for limit in ceilings.values()):
            return 0.0
        with self.engine.execution_options(write=True).begin() as db:
            for who, limit in ceilings.items():
                taken = spending.c.reserved + _nano(usd)
                self._open_row(db, who, day)
                change = update(spending).where(_row(who, day)).values(reserved=taken)
                if limit is not None:
                    change = change.where(spending.c.spent + taken <= _nano(limit))
                if db.execute(change).rowcount == 0 and limit is not None:
                    raise self._spent(who, limit, usd)
        return usd

    def settle(self, payer: str, day: str, reserved_usd: float, cost_usd: float) -> None:
        """Give a reservation back and book what was spent."""
        left, more = spending.c.reserved - _nano(reserved_usd), spending.c.spent + _nano(cost_usd)
        with self.engine.execution_options(write=True).begin() as db:
            for who in (payer, EVERYONE):
                self._open_row(db, who, day)
                db.execute(update(spending).where(_row(who, day)).values(reserved=left, spent=more))

    def of_day(self, day: str | None = None) -> list[Spent]:
        """What was spent in a day, by default today, by payer; `*` is everyone together, "" who needs no key."""
        wanted = day or f"{self.now():%Y-%m-%d}"
        with self.engine.connect() as db:
            rows = db.execute(select(spending).where(spending.c.day == wanted).order_by(spending.c.payer))
            return [Spent(row.payer, row.day, row.spent / _NANO, row.reserved / _NANO) for row in rows]

    def _ceilings(self, db: Connection, payer: str) -> dict[str, float | None]:
        """By row, in the one order in which rows are locked."""
        own = db.scalar(select(api_keys.c.usd_per_day).where(api_keys.c.name == payer)) if payer else None
        of_key = self.settings.usd_per_key_day if own is None and payer else own
        return {payer: of_key, EVERYONE: self.settings.usd_per_day}

    def _ensure_left(self, db: Connection, ceilings: Mapping[str, float | None], day: str) -> None:
        """For a turn without a ceiling, which can reserve nothing: whether there is anything left at all."""
        for who, limit in ceilings.items():
            row = db.execute(select(spending).where(_row(who, day))).one_or_none()
            if limit is not None and row is not None and row.spent + row.reserved >= _nano(limit):
                raise self._spent(who, limit, 0.0)

    def _open_row(self, db: Connection, who: str, day: str) -> None:
        db.execute(insert_or_ignore(self.engine, spending), {"payer": who, "day": day, "spent": 0, "reserved": 0})

    def _spent(self, who: str, limit: float, usd: float) -> BudgetSpent:
        whose = "The service" if who == EVERYONE else f"The key '{who}'"
        return BudgetSpent(
            f"{whose} may spend {limit:g} USD in a day, and what is left of it is less than this turn may cost "
            f"({usd:g} USD). The next day begins at midnight UTC.",
            self._until_midnight(),
        )

    def _until_midnight(self) -> int:
        now = self.now()
        midnight = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
        return max(1, math.ceil((midnight - now).total_seconds()))


def _row(who: str, day: str) -> ColumnElement[bool]:
    return (spending.c.payer == who) & (spending.c.day == day)


def _nano(usd: float) -> int:
    """Rounded up: rounding may not hide that something was spent."""
    return math.ceil(round(usd * _NANO, 3))
