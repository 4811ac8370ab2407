import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.http.server import create_app
from app.llm.scripted import ScriptedProvider
from app.settings import load_settings
from retrieval.files import list_files
from tests.app.http.serving import running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Debian's Chromium. Not for the session: its driver holds the event loop, which asynchronous tests need."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip("there is no browser: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        with driver.chromium.launch(executable_path=str(CHROMIUM), args=arguments) as browser:
            yield browser


@pytest.fixture
def page(browser: "Browser") -> "Iterator[Page]":
    """A fresh tab; it must end without an error in its console."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(15_000)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    # The browser notes every answer of 4xx as an error of its own: those the page is meant to handle.
    page.on(
        "console",
        lambda said: (
            said.type == "error" and "Failed to load resource" not in said.text and complaints.append(said.text)
        ),
    )
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def site(build_services, documents, settings) -> Iterator[str]:
    """The service over the three documents, answering extractively."""
    services = build_services()
    services.ingestor.ingest(list_files([documents]), "default")
    with running(create_app(services, require_key=False)) as address:
        yield address


@pytest.fixture
def slow_site(build_services, documents, tmp_path) -> Iterator[str]:
    """The service with a provider that takes its time and makes one thing up."""
    (documents / "llamas.md").write_text(
        "# Llamas &lt;b&gt;&\n\n🦙🦙 A llama hums when it is content. It spits when it is cross.\n", encoding="utf-8"
    )
    draft = "A llama hums when it is content. It costs 900 dollars. It spits when it is cross.\n"
    services = build_services(ScriptedProvider(itertools.repeat(draft), piece_chars=8, delay_s=0.08))
    services.ingestor.ingest(list_files([documents]), "default")
    with running(create_app(services, require_key=False)) as address:
        yield address


@pytest.fixture
def locked_site(build_services, documents) -> Iterator[tuple[str, str]]:
    """(address, key) of a service that asks for a key."""
    services = build_services(given=load_settings(home=Path("locked"), http={"max_upload_bytes": 1_000}))
    services.ingestor.ingest(list_files([documents]), "default")
    key = services.keys.create("page")
    with running(create_app(services, require_key=True)) as address:
        yield address, key
