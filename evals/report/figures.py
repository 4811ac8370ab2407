"""The figures of a report. Each comes as inline SVG, or as a sentence where it would show nothing."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from evals.gate.pairing import gains, pair_up
from evals.report.drawing import BAD, BASE, CANDIDATE, GOOD, INK, LINE, PAPER, SOFT, UNSURE, empty, svg
from evals.report.history import Point
from evals.report.wording import clipped
from evals.running.records import Run
from evals.scorers import SCORERS
from evals.scorers.abstention import confidence
from evals.scorers.curves import Bin, calibration, risk_coverage
from evals.stats.learning import learning_curve
from evals.types import Comparison, GateReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LOOKS = {"worse": (BAD, "s", BAD), "not_worse": (GOOD, "o", GOOD), "unclear": (UNSURE, "D", PAPER)}
_SIDES = {"baseline": (BASE, (0, (4, 2)), 3), "candidate": (CANDIDATE, "solid", 2)}
"""Colour, dashes and order: where both are equal, the dashes of the baseline show on the candidate."""

_MIN_REACH, _MAX_REACH = 2.0, 8.0
_LABEL_CHARS = 22
_WIDE = 20.0
"""From p5 to p95: beyond this factor latencies need a logarithmic axis."""


def forest(comparisons: Sequence[Comparison]) -> str:
    """Differences with intervals, in units of each metric's margin: left of −1, more is lost than may be."""
    if not comparisons:
        return empty("Nothing was compared.")
    rows = [_row(one) for one in comparisons]
    reach = max(abs(value) for low, _, high in rows for value in (low, high))
    reach = min(max(_MIN_REACH, 1.08 * reach), _MAX_REACH)

    def paint(axes: "Axes") -> None:
        axes.axvspan(-reach, -1, color=BAD, alpha=0.08, linewidth=0)
        axes.axvline(-1, color=BAD, linewidth=1, linestyle=(0, (3, 2)))
        axes.axvline(0, color=SOFT, linewidth=0.8)
        for at, (one, (low, middle, high)) in enumerate(zip(comparisons, rows, strict=True)):
            colour, marker, fill = _LOOKS[one.outcome]
            ends = np.clip([low, high], -reach, reach)
            axes.plot(ends, [at, at], color=colour, linewidth=1.6 if one.slice is None else 1.1)
            for end, value, arrow in ((-reach, low, "<"), (reach, high, ">")):
                if abs(value) > reach and np.sign(value) == np.sign(end):
                    axes.plot([end], [at], marker=arrow, color=colour, markersize=4, clip_on=False)
            axes.plot([np.clip(middle, -reach, reach)], [at], marker=marker, color=colour, markerfacecolor=fill,
                      markersize=6 if one.slice is None else 4.5)  # fmt: skip
        axes.set_yticks(range(len(rows)), [_label(one) for one in comparisons])
        for text, one in zip(axes.get_yticklabels(), comparisons, strict=True):
            text.set_color(INK if one.slice is None else SOFT)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(-reach, reach)
        axes.set_xlabel("difference in margins (more is better)")
        axes.spines["left"].set_visible(False)

    height = 52 + 17 * len(rows)
    return svg("forest", "Differences between candidate and baseline, in margins", height, paint)


def answered(run: Run | None) -> tuple[list[float], list[float], int]:
    """Confidence and correctness of each answer that could be right or wrong, and how many such turns there were."""
    cases = {case.id: case for case in run.cases if case.pending is None} if run else {}
    sure, right, turns = [], [], 0
    for record in run.records if run else ():
        case, result = cases.get(record.case_id), record.result
        if case is None or result is None or case.gold.action not in ("answer", "abstain"):
            continue
        correct = 0.0 if case.gold.action == "abstain" else record.scores.get("answer_match")
        if correct is None and not result.abstained:
            continue
        turns += 1
        if not result.abstained:
            sure.append(confidence(result))
            right.append(correct or 0.0)
    return sure, right, turns


def risk(run: Run, baseline: Run | None) -> str:
    """How wrong answers would be if only the surest share of all questions were answered."""
    curves = {}
    for name, side in (("baseline", baseline), ("candidate", run)):
        sure, right, turns = answered(side)
        if len(sure) > 1:
            found = risk_coverage(sure, right)
            curves[name] = (found.coverage * len(sure) / turns, found.risk)
    if not curves:
        return empty("Too few answers could be judged right or wrong.")

    def paint(axes: "Axes") -> None:
        for name, (coverage, wrong) in curves.items():
            colour, dashes, order = _SIDES[name]
            axes.plot(coverage, wrong, color=colour, linestyle=dashes, linewidth=1.6, label=name, zorder=order)
            axes.plot(coverage[-1:], wrong[-1:], "o", color=colour, markersize=5, zorder=order)
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, max(0.1, *(1.1 * float(wrong.max()) for _, wrong in curves.values())))
        axes.set_xlabel("coverage: share of questions answered, surest first")
        axes.set_ylabel("risk: share of answers wrong")
        axes.grid(visible=True, axis="y")
        axes.legend(loc="upper left")

    return svg("risk", "Risk over coverage of candidate and baseline", 240, paint)


def calibrated(run: Run) -> str:
    """Whether answers are right as often as they are sure."""
    sure, right, _ = answered(run)
    if not sure:
        return empty("No answer could be judged right or wrong.")
    bins = calibration(sure, right)
    if len(bins) < 2:
        only = bins[0]
        return empty(f"Every answer is about equally sure ({only.confidence:.2f}); {only.accuracy:.0%} are right.")

    def paint(axes: "Axes") -> None:
        axes.plot([0, 1], [0, 1], color=LINE, linewidth=1.2)
        for one in bins:
            low, high = _wilson(one)
            axes.plot([one.confidence, one.confidence], [low, high], color=CANDIDATE, linewidth=1.1)
            axes.plot([one.confidence], [one.accuracy], "o", color=CANDIDATE, markersize=5)
            axes.annotate(str(one.n), (one.confidence, high), xytext=(0, 3), textcoords="offset points",
                          ha="center", color=SOFT, fontsize=7.5)  # fmt: skip
        axes.set_xlim(-0.04, 1.04)
        axes.set_ylim(-0.02, 1.1)
        axes.set_xlabel("confidence")
        axes.set_ylabel("share of answers right")

    return svg("calibration", "Share of right answers by confidence", 240, paint)


def latencies(run: Run, baseline: Run | None) -> str:
    """How many turns were done after how long."""
    sides = {}
    for name, side in (("baseline", baseline), ("candidate", run)):
        times = sorted(record.total_ms for record in (side.records if side else ()) if record.total_ms is not None)
        if times:
            sides[name] = np.asarray(times)
    if not sides or max(len(times) for times in sides.values()) < 2:
        return empty("Too few turns were timed.")
    together = np.concatenate(list(sides.values()))
    low, high = np.percentile(together, [5, 95])
    wide = bool(low > 0 and high / low > _WIDE)

    def paint(axes: "Axes") -> None:
        for at, (name, times) in enumerate(sides.items()):
            colour, dashes, order = _SIDES[name]
            p50, p95 = np.percentile(times, [50, 95])
            label = f"{name}: p50 {p50:.0f} ms, p95 {p95:.0f} ms"
            axes.step(times, np.arange(1, len(times) + 1) / len(times), where="post", color=colour, linestyle=dashes,
                      linewidth=1.6, label=label, zorder=order)  # fmt: skip
            axes.plot([p50, p95], [0.5, 0.95], "o" if at else "s", color=colour, markersize=5, zorder=order)
        for share in (0.5, 0.95):
            axes.axhline(share, color=LINE, linewidth=0.8, zorder=0)
        if wide:
            axes.set_xscale("log")
        else:
            axes.set_xlim(0, min(float(together.max()), 3 * float(high)) * 1.05 or 1)
        axes.set_yticks([0, 0.5, 0.95], ["0", "50 %", "95 %"])
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("milliseconds" + (", logarithmic" if wide else ""))
        axes.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), handlelength=2.4)

    return svg("latency", "Share of turns done after so many milliseconds", 240, paint)


def learning(run: Run, gate: GateReport | None, baseline: Run | None) -> str:
    """How the first gated metric settles as cases are added: its difference, or where nothing is compared its mean."""
    compared = gate is not None and baseline is not None and bool(gate.comparisons)
    summary = run.info.summary
    names = [one.metric for one in gate.comparisons] if gate and compared else list(summary.overall if summary else ())
    name = next((name for name in names if name in SCORERS), None)  # an old report may name what is no more
    if name is None:
        return empty("Nothing was measured.")
    cases = {case.id: case for case in run.cases if case.pending is None}
    pairs, _ = pair_up(cases, baseline.records if baseline and compared else run.records, run.records)
    scored, moved = gains(pairs, name, SCORERS[name])
    values = moved if compared else [pair.candidate[name] for pair in scored]
    curve = learning_curve(values, [pair.case.group for pair in scored]) if values else []
    if len(curve) < 2:
        return empty("Too few groups of cases for a curve.")
    sizes, means = [one.n for one in curve], [one.mean for one in curve]
    lows = [one.mean if one.low is None else one.low for one in curve]
    highs = [one.mean if one.high is None else one.high for one in curve]

    def paint(axes: "Axes") -> None:
        axes.fill_between(sizes, lows, highs, color=CANDIDATE, alpha=0.18, linewidth=0)
        axes.plot(sizes, means, color=CANDIDATE, linewidth=1.6, marker="o", markersize=4)
        if compared and gate:
            axes.axhline(0, color=SOFT, linewidth=0.8)
            axes.axhline(-gate.comparisons[0].margin, color=BAD, linewidth=1, linestyle=(0, (3, 2)))
        axes.set_xlabel("cases, by whole groups")
        axes.set_ylabel(f"{'difference in ' if compared else ''}{name}")
        axes.grid(visible=True, axis="y")

    return svg("learning", f"{name} over the number of cases", 240, paint)


def trend(name: str, line: Sequence[Point]) -> str:
    """One metric over runs, oldest first, each with its interval where it has one."""
    means = [point.mean for point in line]
    reached = [value for point in line for value in (point.mean, point.low, point.high) if value is not None]
    low, high = min(reached), max(reached)
    room = max(0.1 * (high - low), 0.02)
    top = 1.0 + room / 2 if low >= 0 and high <= 1 else float("inf")  # nothing is better than 1

    def paint(axes: "Axes") -> None:
        for at, point in enumerate(line):
            if point.low is not None and point.high is not None:
                axes.plot([at, at], [point.low, point.high], color=CANDIDATE, alpha=0.4, linewidth=3,
                          solid_capstyle="butt")  # fmt: skip
        axes.plot(range(len(line)), means, color=CANDIDATE, linewidth=1.4, marker="o", markersize=4)
        shown = sorted({0, len(line) // 2, len(line) - 1}) if len(line) > 2 else list(range(len(line)))
        axes.set_xticks(shown, [line[at].when for at in shown])
        axes.set_xlim(-0.5, len(line) - 0.5)
        axes.set_ylim(low - room, min(high + room, top))
        axes.grid(visible=True, axis="y")

    slug = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name)
    return svg(f"trend-{slug}", f"{clipped(name)} over runs", 170, paint)


def legend() -> Mapping[str, tuple[str, str]]:
    """What the marks of the forest mean: colour variable and sign of each outcome."""
    return {"worse": ("bad", "■"), "not worse": ("good", "●"), "unclear": ("unsure", "◇")}


def _row(one: Comparison) -> tuple[float, float, float]:
    return one.low / one.margin, one.difference / one.margin, one.high / one.margin


def _label(one: Comparison) -> str:
    said = one.metric if one.slice is None else f"· {one.slice.removeprefix('kind=')}"
    return clipped(said, _LABEL_CHARS)


def _wilson(one: Bin) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927)."""
    z, n, p = 1.96, one.n, one.accuracy
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)))
    return max(0.0, middle - half), min(1.0, middle + half)
