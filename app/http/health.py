"""GET /healthz: the process is up. GET /readyz: models and indexes are loaded."""

from fastapi import APIRouter

from app import __version__
from app.http.failures import NotReady
from app.http.shared import SharedState
from app.rendering import Json

router = APIRouter()


@router.get("/healthz")
async def health() -> Json:
    """Up."""
    return {"status": "ok", "version": __version__}


@router.get("/readyz")
def ready(shared: SharedState) -> Json:
    """Ready, also without a corpus: the first one may come by upload."""
    if not shared.ready:
        raise NotReady(shared.failure or "Models and indexes are being loaded.")
    corpora = shared.services.corpora.corpora()
    body: Json = {"status": "ready", "corpora": len(corpora)}
    if not shared.require_key:  # this path is open: names are for those who hold a key
        body["names"] = corpora
    if not corpora:
        body["hint"] = "There are no documents yet. Upload one, or run: assay ingest PATH"
    return body
