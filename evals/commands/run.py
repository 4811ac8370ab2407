"""`evals run`: a suite through the pipeline, gated against the release in production."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evals.commands.options import Common, Door, command

if TYPE_CHECKING:
    from app.bootstrap import Services
    from evals.golden.ledger import Look
    from evals.running.evaluate import Plan
    from evals.running.evidence import SnapshotTexts
    from evals.running.records import Run
    from evals.running.runner import Step
    from evals.types import GateReport


@dataclass(frozen=True, kw_only=True)
class RunOptions(Common):
    """Options of `evals run`."""

    suite: Annotated[str, typer.Argument(help="Name of a shipped suite, or the path of a .yaml file.")]
    provider: Annotated[
        str | None, typer.Option(help="extractive, openai_compatible or local. Default: the setting `llm.provider`.")
    ] = None
    only: Annotated[list[str] | None, typer.Option(help="Run this case; may be given again.")] = None
    sample: Annotated[int | None, typer.Option(min=1, help="Run so many cases, the same ones each time.")] = None
    repeats: Annotated[
        int | None, typer.Option(min=1, max=100, help="Ask each case so often. Default: the suite's.")
    ] = None
    resume: Annotated[Path | None, typer.Option(help="Folder of a run that broke off; only what it lacks is run.")] = (
        None
    )
    cache: Annotated[bool, typer.Option(help="Take turns that this release has answered before from the cache.")] = (
        False
    )
    split: Annotated[str, typer.Option(help="dev, or test: the locked split, which needs --reason.")] = "dev"
    reason: Annotated[str | None, typer.Option(help="Why the test split is looked at; stands in the ledger.")] = None
    baseline: Annotated[
        Path | None,
        typer.Option(help="Folder of the run to compare with. Default: the accepted baseline of the suite."),
    ] = None
    baselines: Annotated[bool, typer.Option("--baselines", help="Run the simpler variants too, and show the lift.")] = (
        False
    )
    track: Annotated[
        str | None, typer.Option(help="Log to MLflow: 'local' for a database under HOME, or a server's URL.")
    ] = None


def run(door: Door, given: RunOptions) -> None:
    """Run a suite, gate it against the release in production, and keep records and reports under HOME/runs.

    Ingests the documents of the suite's golden sets first, where their corpora do not hold them as they are.
    Exit codes: 0 PASS; 1 FAIL; 2 INCONCLUSIVE; 3 UNMEASURABLE; 4 misuse.
    """
    from evals.report.terminal import show_run
    from evals.report.write import write_reports
    from evals.running.evaluate import evaluate
    from evals.running.records import run_json

    with door.services(given.home, given.provider) as services:
        plan, look = _plan(services, given)
        with door.progress(given.as_json) as progress:
            texts = _texts(services, plan, progress)
            done = asyncio.run(evaluate(services, plan, texts, progress, given.resume))
            variants = _variants(services, plan, texts, progress) if given.baselines else {}
        gate, baseline = _gate(plan, texts, done, variants, given, look)
        if look:
            look.close(gate.verdict.name, done.folder.name)
        write_reports(done, gate, baseline, variants)
        if given.track:
            from evals.tracking import track

            track(done, gate, None if given.track == "local" else given.track, services.settings.home)
    if given.as_json:
        from evals.report.write import gate_json

        door.print_json({**json.loads(run_json(done.info)), "folder": str(done.folder), "gate": gate_json(gate)})
    else:
        show_run(done, gate, door.out)
    raise typer.Exit(int(gate.verdict))


def _plan(services: "Services", given: RunOptions) -> "tuple[Plan, Look | None]":
    """What to run; where it is the test split, a look is taken from the budget before a case is read."""
    from evals.errors import EvalsError, LockedError
    from evals.golden.ledger import LookRequest, unlock
    from evals.golden.sets import load_golden_set, select
    from evals.running.evaluate import Plan
    from evals.running.provenance import git_commit, git_user
    from evals.suites import load_suite

    suite = load_suite(given.suite)
    if given.repeats:
        suite = suite.model_copy(update={"repeats": given.repeats})
    look = None
    if given.split == "test":
        if not given.reason:
            raise LockedError("The test split is locked: say why it is looked at with --reason '…'.")
        from app.releases import describe

        here = Path.cwd()
        request = LookRequest(
            who=git_user(here),
            reason=given.reason,
            commit=git_commit(here) or "",
            release=describe(services.pipeline, services.settings).id,
            suite=suite.name,
        )
        sets, look = unlock(given.golden_sets, suite.sets, request)
    elif given.split == "dev":
        sets = [load_golden_set(given.golden_sets, name) for name in suite.sets]
    else:
        raise EvalsError(f"There is no split '{given.split}': dev or test.")
    cases = select(sets, given.only or (), given.sample)
    return Plan(suite, sets, cases, "test" if look else "dev", use_cache=given.cache), look


def _texts(services: "Services", plan: "Plan", progress: "Step | None") -> "Mapping[str, SnapshotTexts]":
    from evals.running.corpus import ready_corpus

    return {golden.name: ready_corpus(services, golden, progress) for golden in plan.sets}


def _variants(
    services: "Services", plan: "Plan", texts: "Mapping[str, SnapshotTexts]", progress: "Step | None"
) -> "Mapping[str, Run]":
    """A run of each simpler thing, on the same cases."""
    from dataclasses import replace

    from evals.running.evaluate import evaluate
    from evals.running.variants import BASELINES

    def named(variant: str) -> "Step | None":
        return (lambda step, done, total: progress(variant, done, total)) if progress else None

    return {
        name: asyncio.run(evaluate(services, replace(plan, variant=name), texts, named(name))) for name in BASELINES
    }


def _gate(
    plan: "Plan",
    texts: "Mapping[str, SnapshotTexts]",
    done: "Run",
    variants: "Mapping[str, Run]",
    given: RunOptions,
    look: "Look | None",
) -> "tuple[GateReport, Run | None]":
    from evals.gate.baseline import load_baseline, shipped_baseline
    from evals.gate.gate import Judge, Side
    from evals.gate.rescore import rescored
    from evals.running.evaluate import jobs_of
    from evals.running.records import load_run

    cases = {case.id: case for _, case in plan.cases}
    baseline: Run | None
    if given.baseline:
        baseline = load_run(given.baseline)
    else:
        baseline = load_baseline(shipped_baseline(plan.suite.name)) if plan.split == "dev" else None
    judge = Judge(plan.suite, cases, look.before if look else 0, look.budget if look else 1)
    against = None
    if baseline is not None:
        jobs = {job.case.id: job for job in jobs_of(plan, texts)}
        against = Side(baseline.info, rescored(baseline.records, jobs, plan.suite.metrics()))
    sides = {name: Side(variant.info, variant.records) for name, variant in variants.items()}
    return judge.judge(Side(done.info, done.records), against, sides), baseline


def add_to(cli: typer.Typer) -> None:
    """Register the commands of this file."""
    command(cli)(run)
