"""The application: routes, the onion around them, and what happens at start and stop."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app import __version__
from app.bootstrap import Services
from app.errors import AssayError
from app.http import batch, chat, completions, conversations, documents, feedback, health, lineage, pages
from app.http.failures import answer
from app.http.middleware import onion
from app.http.shared import BATCHES_IN_FLIGHT, UPLOADS_IN_FLIGHT, InFlight, Shared
from app.http.upkeep import upkeep
from app.joining.serving import serving
from guardrails.errors import GuardError
from retrieval.errors import RetrievalError

_log = logging.getLogger(__name__)


def create_app(services: Services, *, require_key: bool) -> FastAPI:
    """The ASGI application over services, which it closes when it stops.

    Args:
        services: What `app.bootstrap.build` joined.
        require_key: Ask API calls for a key. Without it only loopback names and this origin are served.
    """
    http = services.settings.http
    app = FastAPI(
        title="Assay",
        version=__version__,
        # The interactive documentation loads scripts from elsewhere, which the CSP forbids.
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        lifespan=_lifespan,
        middleware=onion(http, services.keys, require_key=require_key),
        # FastAPI would answer these two itself; all else that is raised reaches the onion's `Problems`.
        exception_handlers={HTTPException: answer, RequestValidationError: answer},
    )
    app.state.shared = Shared(
        services,
        serving(services),
        require_key,
        turns=InFlight(http.max_turns_in_flight, "turns"),
        uploads=InFlight(UPLOADS_IN_FLIGHT, "uploads"),
        batches=InFlight(BATCHES_IN_FLIGHT, "batches"),
    )
    for resource in (batch, chat, completions, conversations, documents, feedback, health, lineage, pages):
        app.include_router(resource.router)
    app.mount("/static", pages.static)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    shared: Shared = app.state.shared
    tasks = [asyncio.create_task(_warm_up(shared)), asyncio.create_task(upkeep(shared.services))]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await shared.services.routes.close()
        shared.services.close()


async def _warm_up(shared: Shared) -> None:
    """Load models and indexes while /healthz already answers."""
    try:
        await shared.services.warm_up()
        await asyncio.to_thread(shared.serving.warm_up)
    except (AssayError, RetrievalError, GuardError) as error:
        shared.failure = str(error)
        _log.error("The service cannot become ready: %s", error)
    except Exception:  # noqa: BLE001 -- a broken index or library: the service stays up and says that it is not ready
        shared.failure = "Models or indexes could not be loaded. The log says why."
        _log.exception("The service cannot become ready")
    else:
        quiet_heap()
        shared.ready = True


def quiet_heap() -> None:
    """Take what is loaded by now out of the garbage collector's sight.

    A full collection looks at the 700,000 objects of the libraries and holds up every turn for 300 ms.
    """
    gc.collect()
    gc.freeze()
