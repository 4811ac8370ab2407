"""The review in headless Chromium: with the keyboard, without a script, against hostile words."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from evals.review.audit import read_entries
from tests.evals.review.conftest import TOKEN, World, prepared, room, sit, world

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

__all__ = ["prepared", "room", "sit", "world"]  # fixtures


@pytest.fixture
def scriptless(browser: "Browser") -> "Iterator[Page]":
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.set_default_timeout(15_000)
    yield page
    context.close()


def said(page: "Page") -> str:
    return page.inner_text("[role=status]")


def test_a_case_is_labelled_fixed_and_retired_by_keys_and_it_is_on_record(
    page: "Page", room: str, world: World
) -> None:
    page.goto(f"{room}/?token={TOKEN}")
    assert page.url == f"{room}/"
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/case/a-1")
    page.keyboard.press("2")
    page.wait_for_url("**saved=label")
    assert said(page) == "The label is on record."
    assert page.get_attribute("button[value=grounding]", "aria-pressed") == "true"

    page.click("#fix summary")
    page.fill("#question", "How soon do we roll back?")
    page.fill("#fix-note", "123 clearer jk")  # keys in a field are words
    page.click("text=Save the case")
    page.wait_for_url("**saved=fix")
    assert said(page) == "The case is fixed, on record."

    page.keyboard.press("k")
    page.wait_for_url("**/case/a-2")
    page.click("#retire summary")
    page.fill("#reason", "nobody asks that here")
    page.click("text=Retire it")
    page.wait_for_url("**saved=retire")

    page.click("text=Audit trail")
    trail = page.inner_text(".trail")
    for words in ("Retired a-2", "nobody asks that here", "Fixed a-1", "123 clearer jk", "Labelled a-1 grounding"):
        assert words in trail
    assert [entry.action for entry in read_entries(world.folder)] == ["label", "fix", "retire"]
    assert "How soon do we roll back?" in world.line("a-1")


def test_hostile_words_run_nothing_and_survive_the_form(page: "Page", room: str, world: World) -> None:
    alerts: list[str] = []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    before = world.line("a-3")
    page.goto(f"{room}/?token={TOKEN}")
    page.goto(f"{room}/case/a-3")
    assert "owned" not in page.title() and alerts == []
    assert page.locator("main b:has-text('bold')").count() == 0
    page.click("#fix summary")
    page.click("text=Save the case")
    page.wait_for_url("**saved=same")
    assert world.line("a-3") == before


def test_everything_works_without_a_script(scriptless: "Page", room: str, world: World) -> None:
    scriptless.goto(f"{room}/?token={TOKEN}")
    scriptless.select_option("#show", "changed")
    scriptless.click("text=Filter")
    scriptless.click("a.case")
    scriptless.fill("#note", "the wrong line of the right document")
    scriptless.click("button[value=grounding]")
    assert said(scriptless) == "The label is on record."
    [entry] = read_entries(world.folder)
    assert (entry.cause, entry.note) == ("grounding", "the wrong line of the right document")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_is_legible_and_every_field_has_a_name(page: "Page", room: str, width: int, scheme: str) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"{room}/?token={TOKEN}")
    for path in ("/", "/case/a-1", "/case/a-3", "/trail", "/drafts"):
        page.goto(room + path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert page.evaluate(UNNAMED) == 0, path
        assert page.locator("h1").count() == 1, path
        assert page.evaluate(CONTRAST) >= 4.5, path


UNNAMED = """[...document.querySelectorAll("input:not([type=hidden]), textarea, select")]
  .filter((field) => !field.labels.length).length"""

# The least contrast (WCAG 2) of a tag, a small text or a link on what lies behind it.
CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data; };
  const light = (c) => { const [r, g, b] = [...c].slice(0, 3).map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = (e) => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor);
    if (c[3]) return c; } };
  const found = [...document.querySelectorAll(".tag, .soft, small, main a, h1, mark, .lost, kbd")]
    .filter((e) => e.offsetParent)
    .map((e) => [light(rgba(getComputedStyle(e).color)), light(behind(e))].sort((a, b) => b - a))
    .map(([a, b]) => (a + 0.05) / (b + 0.05));
  return Math.min(...found);
}"""
