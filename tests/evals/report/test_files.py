"""report.json, junit.xml and summary.md, and writing them all."""

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from evals.errors import RunDamaged
from evals.report.data import read_report
from evals.report.junit import junit_xml
from evals.report.markdown import MAX_LINES, code, plain, summary_md
from evals.report.wording import clipped
from evals.report.write import stored, write_reports
from evals.running.records import Run, load_run
from evals.types import GateReport, Verdict
from tests.evals.report.building import judged, make_cases, make_record, make_run
from tests.evals.report.conftest import POISON

Pair = tuple[Run, Run, GateReport]


def test_a_report_is_written_whole_and_read_back(pair: Pair) -> None:
    run, baseline, gate = pair
    simple = load_run(run.folder.parent / "simple")
    write_reports(run, gate, baseline, {"always_abstain": simple})
    assert stored(run) == (gate, load_run(baseline.folder), {"always_abstain": simple})
    stated = json.loads((run.folder / "report.json").read_text())
    assert stated["version"] == 1
    assert stated["gate"]["verdict"] == "FAIL"
    assert {finding["verdict"] for finding in stated["gate"]["findings"]} <= {None, *(one.name for one in Verdict)}
    assert stated["summary"]["overall"]["answer_match"]["n"] > 0
    assert str(run.folder.parent) not in json.dumps(stated)  # no path of this machine
    before = (run.folder / "report.html").read_text()
    write_reports(run, *stored(run))
    assert (run.folder / "report.html").read_text() == before
    assert not [path.name for path in run.folder.iterdir() if "partial" in path.name]


def test_a_baseline_that_was_replaced_since_is_not_taken_for_the_old_one(pair: Pair, tmp_path: Path) -> None:
    run, baseline, gate = pair
    here = replace(run, folder=tmp_path / "runs" / "one")
    here.folder.mkdir(parents=True)
    later = replace(baseline, info=replace(baseline.info, release=replace(baseline.info.release, id="another")))
    make_run(here.folder.parent / "base", list(baseline.cases), baseline.records)
    write_reports(here, gate, later, {})
    assert stored(here)[1] is None


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"version": 2}', '{"version": 1}', "null", '{"version": 1, "gate": 3}']
)
def test_a_damaged_report_says_so(tmp_path: Path, content: str) -> None:
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(RunDamaged, match=r"report\.json"):
        read_report(tmp_path)


def test_junit_has_a_test_for_each_finding_and_case(pair: Pair) -> None:
    run, baseline, gate = pair
    root = ET.fromstring(junit_xml(run, gate, baseline))
    suites = {suite.get("name"): suite for suite in root}
    assert list(suites) == ["gate", "smoke"]
    for suite in [root, *suites.values()]:
        tests = list(suite.iter("testcase"))
        assert int(suite.get("tests", "")) == len(tests)
        for kind, name in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert int(suite.get(name, "")) == sum(1 for test in tests if test.find(kind) is not None)
    assert len(list(suites["gate"])) == len(gate.findings) + 1
    verdict = suites["gate"][0]
    assert verdict.get("name") == "verdict"
    assert verdict.find("failure").get("type") == "FAIL"  # type: ignore[union-attr]
    cases = {test.get("name"): test for test in suites["smoke"]}
    assert set(cases) == {case.id for case in run.cases}
    assert cases["c-000"].get("classname") == "smoke.answerable"
    assert cases["c-000"].find("failure") is not None
    assert "<script>" in (cases["c-000"].find("failure").text or "")  # type: ignore[union-attr]
    assert cases["c-059"].find("error").get("type") == "infrastructure"  # type: ignore[union-attr]


def test_junit_fails_new_misses_only_and_skips_what_is_pending(tmp_path: Path) -> None:
    cases = [*make_cases(24), make_cases(26, kind="tool", pending="tools")[25]]
    right = {"c-001", "c-002"}
    before = [make_record(case, case.id != "c-003", 0.5) for case in cases]
    after = [make_record(case, case.id not in right | {"c-003", "c-025"}, 0.5) for case in cases]
    baseline, run = make_run(tmp_path / "a", cases, before), make_run(tmp_path / "b", cases, after)
    gate = judged(run, baseline)
    gate = replace(gate, findings=(), verdict=Verdict.PASS)
    root = ET.fromstring(junit_xml(run, gate, baseline))
    outcomes = {test.get("name"): [part.tag for part in test] for test in root[1]}
    assert {name for name, parts in outcomes.items() if parts == ["failure"]} == right
    assert outcomes["c-025"] == ["skipped"]
    assert outcomes["c-003"] == []  # it was wrong before
    assert root[0][0].find("failure") is None
    named = replace(gate, findings=(replace(judged(run, None).findings[0], verdict=Verdict.FAIL, case_ids=("c-005",)),))
    root = ET.fromstring(junit_xml(run, named, baseline))
    assert {test.get("name") for test in root[1] if test.find("failure") is not None} == {*right, "c-005"}


def rendered(markdown: str) -> str:
    return MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(markdown)


def test_a_summary_is_short_and_harmless(pair: Pair) -> None:
    run, baseline, gate = pair
    text = summary_md(run, gate, baseline)
    assert text.startswith("## ❌ FAIL")
    assert len(text.splitlines()) <= MAX_LINES
    html = rendered(text)
    for element in ("<script", "<img", "<a ", "<!--"):
        assert element not in html
    assert "<table>" in html
    assert "`c-000`" in text


def test_a_summary_without_a_gate_has_numbers(pair: Pair) -> None:
    assert "| `answer_match` |" in summary_md(pair[0], None, None)


@given(st.text(max_size=80) | st.text(alphabet="`~|\\<>[]()!*_#@&;: a\n.w/", max_size=40))
def test_code_spans_and_plain_text_hold_anything(text: str) -> None:
    inside = rendered(f"- x {code(text)} y")
    assert inside.count("<code>") == (1 if clipped(text) else 0)
    for html in (inside, rendered(f"- x {plain(text)} y")):
        assert set(re.findall("<.*?>", html)) <= {"<ul>", "</ul>", "<li>", "</li>", "<code>", "</code>"}, html


def test_the_known_attack_stays_text() -> None:
    for said in (plain(POISON), code(POISON)):
        html = rendered(said)
        assert "<img" not in html
        assert "<a " not in html
        assert "<script" not in html
    assert "@team" not in plain(POISON)
