"""summary.md: a run in the words of a pull request, sixty lines at most."""

import re

from evals.report.cases import ChangedCase, changed_cases
from evals.report.wording import MEANINGS, OUTCOMES, changed, clipped, number, plural, short_id
from evals.running.records import Run
from evals.types import Comparison, GateReport, Summary, Verdict

MAX_LINES = 60
_MARKS = {Verdict.PASS: "✅", Verdict.FAIL: "❌", Verdict.INCONCLUSIVE: "⚠️", Verdict.UNMEASURABLE: "🚫"}
_MAX_FINDINGS, _MAX_METRICS, _MAX_SLICES, _MAX_CHANGES = 10, 14, 6, 6
_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~$&]|:(?=//)|(?<=www)\.)", re.I)


def summary_md(run: Run, gate: GateReport | None, baseline: Run | None) -> str:
    """Verdict, reasons, numbers and the cases that changed. What a model or a user wrote stands in code spans only.

    Args:
        run: Without what must not be shown.
        gate: What the gate found.
        baseline: What it was compared with.
    """
    summary = run.info.summary
    if summary is None:
        raise ValueError("a run that is reported is finished")
    against = f" against {code(baseline.info.release.id)}" if baseline else ""
    what = f"Suite {code(run.info.suite)}, {run.info.split} split, release {code(run.info.release.id)}{against}"
    count = f"{plural(summary.cases, 'case')}, {summary.failed} not measured, commit {code(short_id(run.info.commit))}"
    lines = [*_verdict(gate, summary), "", f"{what}: {count}.", "", *_metrics(summary, gate)]
    if gate is not None:
        lines += _slices(gate)
    if summary.pending_cases:
        waiting = ", ".join(f"{code(name)} {cases}" for name, cases in summary.pending_cases.items())
        lines += ["", f"Pending, counted apart: {waiting}."]
    if summary.unstable:
        lines += ["", f"{plural(len(summary.unstable), 'case')} unstable over repeats."]
    lines += _changes(changed_cases(run, gate, baseline))
    return "\n".join(lines[: MAX_LINES - 1]) + "\n"


def plain(text: str, width: int = 300) -> str:
    """A text that Markdown shows as it stands: no markup, link, mention or reference comes of it."""
    return _SPECIAL.sub(r"\\\1", clipped(text, width)).replace("@", "@\u200b").replace("\\#", "\\#\u200b")


def code(text: str, width: int = 160) -> str:
    """A code span that holds any text: its fence is longer than every run of backticks inside."""
    text = clipped(text, width)
    if not text:
        return "(nothing)"
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _verdict(gate: GateReport | None, summary: Summary) -> list[str]:
    if gate is None:
        return ["## Evaluation: not gated" + (", unmeasurable" if summary.unmeasurable else "")]
    lines = [f"## {_MARKS[gate.verdict]} {gate.verdict.name}: {MEANINGS[gate.verdict]}", ""]
    for finding in gate.findings[:_MAX_FINDINGS]:
        mark = _MARKS[finding.verdict] if finding.verdict is not None else "ℹ️"
        named = f" — {plural(len(finding.case_ids), 'case')}" if finding.case_ids else ""
        lines.append(f"- {mark} **{finding.rule}** {plain(finding.message)}{named}")
    if len(gate.findings) > _MAX_FINDINGS:
        lines.append(f"- and {len(gate.findings) - _MAX_FINDINGS} more in the report")
    return lines


def _metrics(summary: Summary, gate: GateReport | None) -> list[str]:
    against = {one.metric: one for one in gate.comparisons if one.slice is None} if gate else {}
    lines = ["| metric | mean | n | baseline | difference | outcome |", "|---|---|---|---|---|---|"]
    gated_first = sorted(summary.overall, key=lambda name: name not in against)
    for name in gated_first[:_MAX_METRICS]:
        found = summary.overall[name]
        lines.append(_row(name, number(found.mean), str(found.n), against.get(name)))
    return lines


def _slices(gate: GateReport) -> list[str]:
    worse = [one for one in gate.comparisons if one.slice and one.outcome == "worse"]
    if not worse:
        return []
    shown = sorted(worse, key=lambda one: one.difference)[:_MAX_SLICES]
    lines = (f"- {code(one.slice or '')} {code(one.metric)} {plain(changed(one))} ({one.pairs} cases)" for one in shown)
    return ["", f"Worse on {plural(len(worse), 'slice')}:", *lines]


def _row(name: str, mean: str, n: str, one: Comparison | None) -> str:
    cells = [number(one.baseline), plain(changed(one)), OUTCOMES[one.outcome]] if one else ["–", "–", "–"]
    return "| " + " | ".join([code(name).replace("|", "\\|"), mean, n, *cells]) + " |"


def _changes(changes: list[ChangedCase]) -> list[str]:
    if not changes:
        return []
    lost = sum(1 for one in changes if one.lost)
    lines = ["", f"{plural(len(changes), 'case')} changed: {lost} for the worse, {len(changes) - lost} for the better."]
    for one in changes[:_MAX_CHANGES]:
        change = one.change
        moved = f"{number(change.baseline)} → {number(change.candidate)}"
        answer = one.after.result.answer if one.after and one.after.result else "(no answer)"
        lines.append(f"- {code(change.case_id)} {code(change.metric)} {moved}: {code(one.case.question, 120)}")
        lines.append(f"  now says {code(answer, 120)}")
    return lines
