"""Who pays for a turn: the port behind which daily budgets stand."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from app.budget import Budget
from app.types import ChatRequest

Spending = Callable[[ChatRequest, Budget], AbstractAsyncContextManager[None]]
"""Around a turn: reserves what it may cost, or raises BudgetSpent; afterwards keeps what it did cost."""


@asynccontextmanager
async def unlimited(request: ChatRequest, budget: Budget) -> AsyncGenerator[None]:
    """Nobody counts."""
    yield
