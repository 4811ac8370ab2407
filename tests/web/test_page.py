"""The chat page in headless Chromium."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

QUESTION = "How much traffic does a canary release send to the new version?"
UNKNOWN = "Quelle est la capitale de la Mongolie extérieure au printemps?"


def ask(page: "Page", question: str) -> None:
    page.fill("#question", question)
    page.press("#question", "Enter")


def answered(page: "Page", turns: int = 1) -> None:
    page.wait_for_function("n => document.querySelectorAll('.rate').length === n", arg=turns)


def focused(page: "Page") -> str:
    return str(page.evaluate("document.activeElement.id || document.activeElement.className"))


def test_an_answer_has_citations_that_open_the_source(page: "Page", site: str) -> None:
    page.goto(site)
    page.wait_for_function("() => document.querySelector('#corpus').value === 'default'")
    assert page.locator(".example").count() == 3
    ask(page, QUESTION)
    answered(page)
    assert "1 percent of the traffic" in page.inner_text(".claims")
    page.click(".cite >> nth=0")
    page.wait_for_selector("#source-text mark")
    assert page.inner_text("#source-text mark") in page.inner_text(".claims")
    assert page.inner_text("#source-title") == "Canary releases"
    assert "canary.md" in page.inner_text("#source-place")
    assert page.locator("#source-text mark").is_visible()
    assert page.locator("#source-text .heading").inner_text() == "Canary releases"


def test_the_page_can_say_what_an_answer_was_based_on(page: "Page", site: str) -> None:
    page.goto(site)
    page.wait_for_function("() => document.querySelector('#corpus').value === 'default'")
    ask(page, QUESTION)
    answered(page)
    first = page.inner_text(".turn:nth-child(1) .refs")
    ask(page, "What did you base that on?")
    answered(page, 2)
    assert page.inner_text(".turn:nth-child(2) .refs") == first
    assert "1 percent of the traffic" in page.inner_text(".turn:nth-child(2) .claims")


def test_the_keyboard_alone_is_enough(page: "Page", site: str) -> None:
    page.goto(site)
    page.wait_for_selector("#corpus option", state="attached")
    assert focused(page) == "question"
    page.keyboard.type(QUESTION)
    page.keyboard.press("Shift+Enter")
    assert page.input_value("#question") == QUESTION + "\n"
    page.keyboard.press("Enter")
    answered(page)
    assert focused(page) == "question"
    page.focus("#restart")
    for _ in range(10):
        page.keyboard.press("Tab")
        if "cite" in focused(page):
            break
    assert "cite" in focused(page)
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_selector("#source-text mark")
    assert focused(page) == "source-title"
    assert page.get_attribute(".cite >> nth=0", "aria-expanded") == "true"
    page.keyboard.press("Escape")
    assert page.locator("#source").is_hidden()
    assert "cite" in focused(page)
    assert page.get_attribute("#turns", "aria-live") == "polite"


def test_an_abstention_looks_like_one(page: "Page", site: str) -> None:
    page.goto(site)
    ask(page, UNKNOWN)
    answered(page)
    assert "No answer in these documents" in page.inner_text(".abstained")
    assert page.locator(".cite").count() == 0


def test_claims_stream_in_and_offsets_are_code_points(page: "Page", slow_site: str) -> None:
    page.goto(slow_site)
    ask(page, "What does a llama do?")
    page.wait_for_selector(".cite")
    assert page.locator("#stop").is_visible() and page.locator("#send").is_hidden()
    assert page.locator(".rate").count() == 0
    answered(page)
    assert page.locator(".cite").count() == 2
    assert "1 statement was left out" in page.inner_text(".answer")
    page.click(".cite >> nth=1")
    page.wait_for_selector("#source-text mark")
    assert page.inner_text("#source-text mark") == "It spits when it is cross."
    assert page.inner_text("#source-title") == "Llamas <b>&"


def test_stop_stops(page: "Page", slow_site: str) -> None:
    page.goto(slow_site)
    ask(page, "What does a llama do?")
    page.wait_for_selector(".cite")
    page.click("#stop")
    page.wait_for_selector("text=Stopped.")
    assert page.locator("#send").is_visible()
    assert page.locator(".rate").count() == 0
    ask(page, "And when does it spit?")
    answered(page)


def test_the_conversation_is_sent_along_until_a_new_one_begins(page: "Page", site: str) -> None:
    sent: list[dict[str, object]] = []
    page.on("request", lambda request: request.url.endswith("/v1/chat") and sent.append(request.post_data_json))
    page.goto(site)
    page.click(".example >> nth=0")
    answered(page)
    ask(page, QUESTION)
    answered(page, 2)
    assert [message["role"] for message in sent[1]["history"]] == ["user", "assistant"]
    page.click("#restart")
    assert page.locator(".turn").count() == 0
    assert page.locator("#empty").is_visible()
    ask(page, QUESTION)
    answered(page)
    assert sent[2]["history"] == []


def test_a_thumb_and_a_note_are_sent(page: "Page", site: str) -> None:
    sent: list[dict[str, object]] = []
    page.on("request", lambda request: request.url.endswith("/v1/feedback") and sent.append(request.post_data_json))
    page.goto(site)
    ask(page, QUESTION)
    answered(page)
    page.click("[aria-label='Bad answer']")
    page.wait_for_selector("text=Thank you.")
    page.fill("[aria-label='A note on this answer']", "Too short.")
    page.keyboard.press("Enter")
    page.wait_for_function("() => !document.querySelector('.rate form')")
    page.wait_for_timeout(200)
    assert [(body["rating"], body["note"]) for body in sent] == [("down", ""), ("down", "Too short.")]
    assert page.get_attribute("[aria-label='Bad answer']", "aria-pressed") == "true"


def test_uploads_say_what_became_of_them(page: "Page", site: str, tmp_path: Path) -> None:
    good, bad = tmp_path / "<img src=x onerror=alert(1)>.md", tmp_path / "broken.pdf"
    good.write_text("# Llamas\n\nA llama hums when it is content.\n")
    bad.write_bytes(b"%PDF-1.7 and nothing more")
    page.goto(site)
    page.set_input_files("#files", [good, bad])
    page.wait_for_selector("text=added, ask away")
    page.wait_for_selector(".upload .wrong")
    assert "broken.pdf" in page.inner_text(".upload .wrong")
    ask(page, "When does a llama hum?")
    answered(page)
    page.click("text=Llamas")
    page.wait_for_selector("#source-text mark")
    assert page.locator("img[src=x]").count() == 0
    page.click("[aria-label^='Dismiss'] >> nth=0")
    assert page.locator(".upload").count() == 1


def test_a_link_to_a_source_opens_it(page: "Page", site: str) -> None:
    import httpx

    body = {"messages": [{"role": "user", "content": QUESTION}]}
    answer = httpx.post(f"{site}/v1/chat/completions", json=body).json()
    cited = answer["choices"][0]["message"]["annotations"][0]["url_citation"]
    page.goto(cited["url"])
    page.wait_for_selector("#source-text mark")
    assert page.inner_text("#source-text mark") == cited["quote"]


def test_a_source_that_is_gone_says_so(page: "Page", site: str) -> None:
    page.goto(f"{site}/#doc=0000&snapshot=0000&start=0&end=5")
    page.wait_for_selector("text=No such document")


def test_the_key_is_asked_once_and_kept_for_the_tab(page: "Page", locked_site: tuple[str, str], tmp_path: Path) -> None:
    address, key = locked_site
    page.goto(address)
    page.wait_for_selector("#key[open]")
    page.fill("#key-value", "wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("#key-wrong:not([hidden])")
    page.fill("#key-value", key)
    page.keyboard.press("Enter")
    page.wait_for_selector("#key:not([open])", state="attached")
    page.wait_for_function("() => document.querySelector('#corpus').value === 'default'")
    ask(page, QUESTION)
    answered(page)
    page.reload()
    page.wait_for_function("() => document.querySelector('#corpus').value === 'default'")
    assert page.evaluate("sessionStorage.getItem('assay-key')") == key
    (tmp_path / "long.txt").write_text("x" * 2_000)
    page.set_input_files("#files", tmp_path / "long.txt")
    page.wait_for_selector(".upload .wrong")


def test_a_problem_is_shown_in_words(page: "Page", build_services, settings) -> None:
    from app.http.server import create_app
    from tests.app.http.serving import running

    with running(create_app(build_services(), require_key=False)) as address:
        page.goto(address)
        ask(page, QUESTION)
        page.wait_for_selector(".failure")
        assert "No such corpus" in page.inner_text(".failure")


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_overflows_and_contrast_is_readable(page: "Page", site: str, width: int, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 740})
    page.goto(site)
    ask(page, QUESTION)
    answered(page)
    page.click("[aria-label='Good answer']")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.click(".ref >> nth=0")
    page.wait_for_selector("#source-text mark")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    box = page.locator("#source").bounding_box()
    assert box and (box["width"] == width if width < 1024 else box["width"] < width / 2)
    for selector in ("#source-place", "mark", ".claims", ".ref .where", ".cite", ".question"):
        assert contrast(page, selector) >= 4.5, selector


def contrast(page: "Page", selector: str) -> float:
    """WCAG 2.2's contrast ratio of a text against the first opaque background behind it."""
    colours = page.eval_on_selector(
        selector,
        """node => {
          let behind = node;
          while (getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
          return [getComputedStyle(node).color, getComputedStyle(behind).backgroundColor]
            .map((colour) => colour.match(/[\\d.]+/g).slice(0, 3).map(Number));
        }""",
    )
    lights = sorted(
        sum(
            weight * (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4)
            for weight, c in zip((0.2126, 0.7152, 0.0722), [value / 255 for value in colour], strict=True)
        )
        for colour in colours
    )
    return float((lights[1] + 0.05) / (lights[0] + 0.05))
