"""junit.xml: the gate's findings and every case, as continuous integration reads them."""

import re
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

from evals.golden.cases import Case
from evals.report.cases import by_case, changed_cases, missed
from evals.report.wording import clean, clipped
from evals.running.records import Run
from evals.types import CaseRecord, Finding, GateReport, Verdict

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(run: Run, gate: GateReport | None, baseline: Run | None) -> bytes:
    """One suite `gate` with a test for each finding, and one with a test for each case.

    A case fails where the gate's verdict rests on it, or where it is a miss that the baseline did not have; what is
    wrong now and was wrong before is no news. It is an error where it could not be measured, and skipped where it
    waits for a feature.

    Args:
        run: Without what must not be shown.
        gate: What the gate found.
        baseline: What it was compared with.
    """
    suites = [_gate_suite(run, gate)] if gate is not None else []
    if run.cases:
        suites.append(_case_suite(run, gate, baseline))
    root = ET.Element(
        "testsuites", {"name": _xml(run.info.suite), **_counts([test for suite in suites for test in suite])}
    )
    root.extend(suites)
    ET.indent(root)
    body: bytes = ET.tostring(root, encoding="utf-8")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + body + b"\n"


def _gate_suite(run: Run, gate: GateReport) -> ET.Element:
    name = f"{run.info.suite}.gate"
    tests = [_finding(name, number, finding) for number, finding in enumerate(gate.findings, start=1)]
    verdict = Finding("note", gate.verdict, f"{gate.verdict.name}, {gate.pairs} pairs")
    return _suite("gate", run, [_finding(name, 0, verdict), *tests])


def _finding(suite: str, number: int, finding: Finding) -> ET.Element:
    title = "verdict" if number == 0 else f"{number:02d} {finding.rule}: {clipped(finding.message, 120)}"
    test = _test(suite, title, 0.0)
    text = "\n".join((finding.message, *finding.case_ids))
    if finding.verdict is None or finding.verdict is Verdict.PASS:
        ET.SubElement(test, "system-out").text = _xml(text)
    else:
        kind = "error" if finding.verdict is Verdict.UNMEASURABLE else "failure"
        _outcome(test, kind, finding.verdict.name, finding.message, text)
    return test


def _case_suite(run: Run, gate: GateReport | None, baseline: Run | None) -> ET.Element:
    after, before = by_case(run.records), by_case(baseline.records if baseline else ())
    condemned = _condemned(gate)
    lost = {one.case.id: one for one in changed_cases(run, gate, baseline) if one.lost}
    tests = []
    for case in run.cases:
        records = after.get(case.id, ())
        test = _test(f"{run.info.suite}.{case.kind}", case.id, sum(record.seconds for record in records))
        tests.append(test)
        failures = [failure for record in records for failure in record.failures]
        if case.pending:
            ET.SubElement(test, "skipped", message=_xml(f"waits for: {case.pending}"))
        elif failures:
            first = failures[0]
            _outcome(test, "error", first.kind, f"{first.error}: {first.message}", _said(case, records))
        elif not records:
            ET.SubElement(test, "skipped", message="was not run")
        elif case.id in condemned:
            _outcome(test, "failure", condemned[case.id].rule, condemned[case.id].message, _said(case, records))
        elif case.id in lost and missed(case, records) and not missed(case, before.get(case.id, ())):
            change = lost[case.id].change
            message = f"{missed(case, records)}; {change.metric}: {change.baseline:.3g} → {change.candidate:.3g}"
            _outcome(test, "failure", "new miss", message, _said(case, records))
    return _suite(run.info.suite, run, tests)


def _condemned(gate: GateReport | None) -> dict[str, Finding]:
    """The cases that a FAIL rests on, each with the first finding that names it."""
    found: dict[str, Finding] = {}
    for finding in gate.findings if gate else ():
        if finding.verdict is Verdict.FAIL:
            for name in finding.case_ids:
                found.setdefault(name, finding)
    return found


def _said(case: Case, records: Sequence[CaseRecord]) -> str:
    answer = next((record.result.answer for record in records if record.result), "(no answer)")
    return f"asked: {case.question}\nsaid:  {answer}"


def _suite(name: str, run: Run, tests: Sequence[ET.Element]) -> ET.Element:
    started = run.info.started.strftime("%Y-%m-%dT%H:%M:%S")
    suite = ET.Element("testsuite", {"name": _xml(name), "timestamp": started, **_counts(tests)})
    suite.extend(tests)
    return suite


def _counts(tests: Iterable[ET.Element]) -> dict[str, str]:
    tests = list(tests)
    counted = {
        f"{kind}s" if kind != "skipped" else kind: str(sum(1 for test in tests if test.find(kind) is not None))
        for kind in ("failure", "error", "skipped")
    }
    return {
        "tests": str(len(tests)),
        **counted,
        "time": f"{sum(float(test.get('time', 0)) for test in tests):.3f}",
    }


def _test(suite: str, name: str, seconds: float) -> ET.Element:
    return ET.Element("testcase", classname=_xml(suite), name=_xml(name), time=f"{seconds:.3f}")


def _outcome(test: ET.Element, kind: str, of: str, message: str, text: str) -> None:
    ET.SubElement(test, kind, type=_xml(of), message=_xml(clipped(message, 300))).text = _xml(text)


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", clean(text))
