"""The chat page at / and its files under /static."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.staticfiles import StaticFiles

from app.http.shared import SharedState

_WEB = Path(__file__).parent.parent / "web"
_templates = Environment(loader=FileSystemLoader(_WEB / "templates"), autoescape=True, undefined=StrictUndefined)

EXAMPLES = (
    "What is training-serving skew?",
    "How many examples does a test set need for a class?",
    "How long should a canary release run?",
)

router = APIRouter()
static = StaticFiles(directory=_WEB / "static")


@router.get("/", response_class=HTMLResponse, include_in_schema=False)
async def page(shared: SharedState) -> HTMLResponse:
    """The chat. It holds nothing of any corpus: those who have no key see it too."""
    settings = shared.services.settings
    template = _templates.get_template("index.html")
    html = template.render(examples=EXAMPLES, chat=settings.chat, http=settings.http)
    return HTMLResponse(html)
