"""What a suite's gate can see: pairs of runs with a known loss, made from the baseline, through the gate itself.

A simulated run is the baseline's, in which some groups are a matter of chance: each of their cases keeps its scores or
takes those of another case of the same kind, by one coin for the whole group or by one for each case. Both runs of a
pair toss their own coins, so that they differ, but not on average. A loss is planted on top of the candidate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from evals.gate.gate import Judge, Side
from evals.golden.cases import Case
from evals.running.records import Run
from evals.running.runner import Step
from evals.stats.intervals import SEED
from evals.suites import Suite
from evals.types import CaseRecord, Verdict

Harm = Literal["wrong", "abstains"]
LOSSES = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2)
_RESAMPLES = 300

Scores = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class PowerRow:
    """Shares of verdicts where `loss` of the answerable cases that were right are harmed."""

    harm: Harm
    loss: float
    cases: int
    simulations: int
    fail: float
    inconclusive: float
    passed: float


class Simulator:
    """Makes pairs of runs from one.

    Args:
        run: What is simulated; its cases that wait for a feature are left out.
        flaky: Share of groups whose outcomes are a matter of chance. Critical cases never are: a release whose critical
            cases come and go by chance is not one to release.
    """

    def __init__(self, run: Run, flaky: float) -> None:
        cases = {case.id: case for case in run.cases if case.pending is None}
        first = {r.case_id: r for r in run.records if r.repeat == 0 and r.case_id in cases and not r.failures}
        self.info = run.info
        self.cases: Mapping[str, Case] = {name: cases[name] for name in first}
        self._records = first
        self._flaky = flaky
        self._pools: dict[str, list[Scores]] = {}
        for name, record in first.items():
            self._pools.setdefault(cases[name].gold.action, []).append(record.scores)
        groups: dict[str, list[str]] = {}
        for name, case in self.cases.items():
            if case.severity != "critical":
                groups.setdefault(case.group, []).append(name)
        self._groups = list(groups.values())

    def pair(self, random: np.random.Generator, harm: Harm = "wrong", loss: float = 0.0) -> tuple[Side, Side]:
        """(baseline, candidate): two runs of one system, the second with a share of its right answers harmed."""
        shaky = [group for group in self._groups if random.random() < self._flaky]
        baseline, candidate = (self._drawn(shaky, random) for _ in range(2))
        if loss:
            self._plant(candidate, harm, loss, random)
        return self._side(baseline), self._side(candidate)

    def _drawn(self, shaky: Sequence[Sequence[str]], random: np.random.Generator) -> dict[str, Scores]:
        drawn: dict[str, Scores] = {name: record.scores for name, record in self._records.items()}
        for group in shaky:
            together = random.random() < 0.5
            coin = random.random() < 0.5
            for name in group:
                if coin if together else random.random() < 0.5:
                    pool = self._pools[self.cases[name].gold.action]
                    drawn[name] = pool[random.integers(len(pool))]
        return drawn

    def _plant(self, drawn: dict[str, Scores], harm: Harm, loss: float, random: np.random.Generator) -> None:
        """Harm a share of the right answers, the critical ones aside: those would fail the gate by themselves."""
        bad = [scores for scores in self._pools["answer"] if _is_harmed(scores, harm)]
        right = [
            name
            for name, scores in drawn.items()
            if scores.get("answer_match") == 1.0 and self.cases[name].severity != "critical"
        ]
        answerable = sum("answer_match" in scores for scores in drawn.values())
        for name in random.permutation(right)[: round(loss * answerable)]:
            drawn[str(name)] = bad[random.integers(len(bad))]

    def _side(self, drawn: Mapping[str, Scores]) -> Side:
        records: list[CaseRecord] = [
            replace(record, scores=drawn[name], result=None, total_ms=None) for name, record in self._records.items()
        ]
        return Side(self.info, records)


def verdicts(
    suite: Suite, simulator: Simulator, simulations: int, harm: Harm = "wrong", loss: float = 0.0, seed: int = SEED
) -> list[Verdict]:
    """The verdicts of so many simulated gates."""
    random = np.random.default_rng(seed)
    judge = Judge(suite, simulator.cases, resamples=_RESAMPLES)
    pairs = (simulator.pair(random, harm, loss) for _ in range(simulations))
    return [judge.judge(candidate, baseline).verdict for baseline, candidate in pairs]


def detectable(suite: Suite, run: Run, simulations: int, flaky: float, progress: Step | None = None) -> list[PowerRow]:
    """How often the gate fails, passes or cannot tell, by size and sort of loss."""
    simulator = Simulator(run, flaky)
    rows = []
    plans: list[tuple[Harm, float]] = [("wrong", 0.0)]
    plans += [(harm, loss) for harm in ("wrong", "abstains") for loss in LOSSES if loss]
    for done, (harm, loss) in enumerate(plans):
        if progress:
            progress("simulations", done * simulations, len(plans) * simulations)
        seen = verdicts(suite, simulator, simulations, harm, loss)
        shares = [seen.count(verdict) / len(seen) for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)]
        rows.append(PowerRow(harm, loss, len(simulator.cases), simulations, *shares))
    return rows


def _is_harmed(scores: Scores, harm: Harm) -> bool:
    if scores.get("answer_match") != 0.0:
        return False
    return (scores.get("abstention") == 0.0) == (harm == "abstains")
