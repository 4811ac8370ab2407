"""report.html: everything is in it, nothing is fetched or run, and untrusted text stays text."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evals.report.page import report_html
from evals.report.write import write_reports
from evals.running.records import Run
from evals.types import GateReport
from tests.evals.report.building import SUITE, failed_record, judged, make_cases, make_record, make_records, make_run
from tests.web.conftest import browser, page  # noqa: F401 -- fixtures

if TYPE_CHECKING:
    from playwright.sync_api import Page

Pair = tuple[Run, Run, GateReport]


class Elements(HTMLParser):
    """Every element with its attributes, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def harmless(html: str) -> None:
    """No script, no event handler, nothing that is fetched, no link."""
    for tag, attributes in Elements(html).found:
        assert tag not in {"script", "img", "iframe", "object", "embed", "link", "a", "form", "image", "foreignobject"}
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in {"href", "src", "xlink:href", "srcset"}:
                assert (value or "").startswith("#")
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)


def test_untrusted_text_stays_text(pair: Pair) -> None:
    html = report_html(*[pair[0], pair[2], pair[1]], {})
    harmless(html)
    text = Elements(html).text
    assert "<script>alert(1)</script>" in text
    assert "{{ 7*7 }}" in text
    assert not re.search("[\x00\x1b\u202e]", html)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1, max_size=60).filter(lambda text: "|" not in text))
def test_any_text_is_harmless(pair: Pair, text: str) -> None:
    run, _, gate = pair
    slices = tuple(replace(one, slice=text) if one.slice else one for one in gate.comparisons)
    cases = (run.cases[0].model_copy(update={"question": text, "kind": "answerable"}), *run.cases[1:])
    html = report_html(replace(run, cases=cases), replace(gate, comparisons=slices), None, {})
    harmless(html)
    html.encode()


def test_the_same_run_gives_the_same_characters(pair: Pair) -> None:
    assert report_html(pair[0], pair[2], pair[1], {}) == report_html(pair[0], pair[2], pair[1], {})


def test_all_parts_are_there(pair: Pair) -> None:
    run, baseline, gate = pair
    html = report_html(run, gate, baseline, {"always_abstain": baseline})
    elements = Elements(html)
    parts = "FAIL|regression|Cases that changed|Risk over coverage|Calibration|Latency|Learning curve|Kinds and"
    parts += "|Lift over|Worst misses"
    for part in [*parts.split("|"), "What was run", "An Imaginary Processor", baseline.info.release.id]:
        assert part in elements.text, part
    assert sum(1 for tag, _ in elements.found if tag == "svg") == 5
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    policy = next(a["content"] for tag, a in elements.found if tag == "meta" and a.get("http-equiv"))
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert "#0a0b" not in html  # every placeholder colour became a variable


def test_at_most_fifty_changes_worst_first(tmp_path: Path) -> None:
    cases = make_cases(160)
    baseline = make_run(tmp_path / "a", cases, make_records(cases, 0.0))
    run = make_run(tmp_path / "b", cases, make_records(cases, 1.1))
    gate = judged(run, baseline)
    assert len(gate.changes) > 50
    html = report_html(run, gate, baseline, {})
    assert html.count('<article class="case bad">') == 50 + 15  # and the worst misses
    assert f"{len(gate.changes)} cases: {len(gate.changes)} for the worse" in html


@pytest.mark.parametrize("count", [1, 2])
def test_next_to_nothing_still_makes_a_page(tmp_path: Path, count: int) -> None:
    cases = make_cases(count)
    suite = SUITE.model_copy(update={"slices": ()})
    run = make_run(tmp_path / "a", cases, [make_record(case, True, 0.5) for case in cases], suite)
    for gate, baseline in ((None, None), (judged(run, None, suite=suite), None), (judged(run, run, suite=suite), run)):
        harmless(report_html(run, gate, baseline, {}))
    assert "Not gated" in report_html(run, None, None, {})


def test_a_run_in_which_everything_failed_makes_a_page(tmp_path: Path) -> None:
    cases = make_cases(10)
    run = make_run(tmp_path / "a", cases, [failed_record(case) for case in cases])
    gate = judged(run, None)
    write_reports(run, gate, None, {})
    assert "UNMEASURABLE" in (run.folder / "report.html").read_text()


def test_the_locked_split_shows_aggregates_only(tmp_path: Path) -> None:
    cases = [case.model_copy(update={"question": "secret?"}) for case in make_cases(30)]
    records = make_records(cases, 0.5)
    gate = judged(
        make_run(tmp_path / "dev", cases, records), make_run(tmp_path / "old", cases, make_records(cases, 0.1))
    )
    run = make_run(tmp_path / "test", cases, records, split="test")
    write_reports(run, gate, None, {})
    for name in ("report.html", "report.json", "junit.xml", "summary.md"):
        text = (run.folder / name).read_text()
        assert "secret?" not in text
        assert not re.search(r"c-0\d\d", text), name
        assert "answer_match" in text


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_the_screen_and_runs_nothing(pair: Pair, page: "Page", width: int) -> None:  # noqa: F811
    run, baseline, gate = pair
    write_reports(run, gate, baseline, {})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.set_viewport_size({"width": width, "height": 900})
    page.goto((run.folder / "report.html").as_uri())
    assert len(asked) == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # Every label of a figure lies within its figure.
    cut = page.evaluate(
        "[...document.querySelectorAll('figure svg')].flatMap(s => [...s.querySelectorAll('text')].filter(t => {"
        "const a = t.getBoundingClientRect(), b = s.getBoundingClientRect();"
        "return a.left < b.left - 1 || a.right > b.right + 1 || a.top < b.top - 1 || a.bottom > b.bottom + 1}"
        ").map(t => t.textContent))"
    )
    assert cut == []
