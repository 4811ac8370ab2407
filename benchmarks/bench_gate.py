"""The gate's false alarms and its power, by simulation from the accepted baseline: evals/gate/power.py says how.

    python benchmarks/bench_gate.py [--pairs 1000] [--power 200] [--suite release]

Nothing here is fitted. The critical-case rule is no test of chance: it is shown apart, for critical cases that come and
go by chance with probability `p` a turn.
"""

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import binomtest

from evals.gate.baseline import load_baseline, shipped_baseline
from evals.gate.power import Simulator, detectable, verdicts
from evals.suites import load_suite
from evals.types import Verdict

NAMES = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)


def share(hits: int, n: int) -> str:
    low, high = binomtest(hits, n).proportion_ci(method="exact")
    return f"{hits / n:.3f} [{low:.3f}, {high:.3f}]"


def flaky_criticals(cases: int, probability: float, repeats: int, rounds: int = 20_000) -> float:
    """How often one of so many shaky critical cases is right in all of the baseline's repeats and in none of ours."""
    random = np.random.default_rng(3)
    right = random.random((rounds, cases, 2, repeats)) < probability
    return float((right[:, :, 0].all(-1) & ~right[:, :, 1].any(-1)).any(-1).mean())


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--pairs", type=int, default=1000)
    arguments.add_argument("--power", type=int, default=200)
    arguments.add_argument("--suite", default="release")
    arguments.add_argument("--baseline", type=Path)
    given = arguments.parse_args()
    suite = load_suite(given.suite)
    run = load_baseline(given.baseline or shipped_baseline(suite.name))
    assert run is not None, "accept a baseline first: evals baseline accept"
    out = Console(width=150)

    table = Table("share of groups that are chance", *(v.name for v in NAMES), title=f"A/A: {given.pairs} pairs a row")
    for flaky in (0.02, 0.05, 0.1, 0.2):
        seen = verdicts(suite, Simulator(run, flaky), given.pairs)
        table.add_row(f"{flaky:.0%}", *(share(seen.count(v), len(seen)) for v in NAMES))
    out.print(table)

    rows = detectable(suite, run, given.power, 0.05)
    table = Table(
        "harm", "share of answerable cases", "FAIL", "INCONCLUSIVE", "PASS", title=f"power, {given.power} pairs a row"
    )
    for row in rows:
        table.add_row(row.harm, f"{row.loss:.2f}", *(f"{v:.2f}" for v in (row.fail, row.inconclusive, row.passed)))
    out.print(table)

    table = Table(
        "repeats", "1 shaky case", "5", "20", title="critical rule: P(false FAIL) with shaky critical cases, p = .5"
    )
    for repeats in (1, 3, 5):
        table.add_row(str(repeats), *(f"{flaky_criticals(n, 0.5, repeats):.3f}" for n in (1, 5, 20)))
    out.print(table)


if __name__ == "__main__":
    main()
