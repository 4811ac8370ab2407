"""One run of a suite, from cases to a summary on disk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from app.bootstrap import Services
from app.releases import describe
from evals.errors import NotComparable
from evals.golden.cases import Case, Split
from evals.golden.sets import GoldenSet
from evals.golden.writing import write_cases
from evals.running.cache import ResultCache
from evals.running.evidence import SnapshotTexts, resolve
from evals.running.provenance import git_commit, hardware, library_versions
from evals.running.records import RecordFile, Run, read_records, read_run, write_run
from evals.running.reference import Reference
from evals.running.runner import Job, Runner, Step
from evals.running.variants import BASELINES, CANDIDATE
from evals.suites import Suite
from evals.summary import summarise
from evals.types import CaseRecord, RunInfo


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be run. `cases` are those of `sets` that were selected; all of one split."""

    suite: Suite
    sets: Sequence[GoldenSet]
    cases: Sequence[tuple[GoldenSet, Case]]
    split: Split = "dev"
    variant: str = CANDIDATE
    use_cache: bool = False


async def evaluate(
    services: Services,
    plan: Plan,
    texts: Mapping[str, SnapshotTexts],
    progress: Step | None = None,
    resume: Path | None = None,
) -> Run:
    """Run cases through the pipeline of `services`, and keep records, what was run, and the summary.

    Args:
        services: What serves.
        plan: What to run.
        texts: The snapshot of each golden set, by its name.
        progress: Told after each case.
        resume: Folder of a run of the same plan that broke off; only what it lacks is run.

    Raises:
        EvidenceError: Gold evidence does not stand in the documents; nothing is run.
        NotComparable: The run to resume is not one of this plan, or something has changed since.
    """
    jobs = jobs_of(plan, texts)
    info = describe_run(services, plan, texts)
    runner = _runner(services, plan, info.release.id, progress)
    for metric in runner.metrics.values():
        if metric.prepare:
            metric.prepare([case for _, case in plan.cases])
    await services.warm_up()  # the first case should not pay for loading the model
    if resume:
        folder, done = resume, _done(resume, info)
        info = replace(info, started=read_run(resume / "run.json").started)
    else:
        folder, done = _new_folder(services.settings.home / "runs", info), []
    write_run(folder / "run.json", info)
    if plan.split == "dev":
        write_cases(folder / "cases.jsonl", [case for _, case in plan.cases])
    reference = Reference()
    records = await _recorded(runner, jobs, done, folder / "records.jsonl", reference)
    cases = {case.id: case for _, case in plan.cases}
    info = replace(
        info,
        finished=datetime.now(UTC),
        summary=summarise(cases, records, plan.suite),
        reference_ms=reference.median_ms,
    )
    write_run(folder / "run.json", info)
    if plan.split == "test":
        return Run(folder, info, (), tuple(_without_texts(record) for record in records))
    return Run(folder, info, tuple(cases.values()), tuple(records))


async def _recorded(
    runner: Runner, jobs: Sequence[Job], done: Sequence[CaseRecord], path: Path, reference: Reference
) -> list[CaseRecord]:
    """Run, with each record on the disk before the next case counts as done."""
    locked = any(job.case.split == "test" for job in jobs)
    with RecordFile(path) as file:

        def keep(record: CaseRecord) -> None:
            file.append(_without_texts(record) if locked else record)
            reference.tick()

        return await replace(runner, keep=keep).run(jobs, done)


def _without_texts(record: CaseRecord) -> CaseRecord:
    """Whoever could read the answers of the locked split would soon tune on them."""
    return replace(record, result=None)


def _runner(services: Services, plan: Plan, release: str, progress: Step | None) -> Runner:
    return Runner(
        ask=services.pipeline.run if plan.variant == CANDIDATE else BASELINES[plan.variant](services.pipeline),
        metrics=plan.suite.metrics(),
        keep=lambda record: None,
        repeats=plan.suite.repeats,
        concurrency=plan.suite.concurrency,
        deadline_s=plan.suite.deadline_s,
        retries=plan.suite.retries,
        cache=ResultCache(services.settings.home / "eval-cache" if plan.use_cache else None, release),
        progress=progress or _silent,
    )


def jobs_of(plan: Plan, texts: Mapping[str, SnapshotTexts]) -> list[Job]:
    """The cases of a plan with the characters of the snapshot that hold their gold evidence.

    Raises:
        EvidenceError: A quote of a case does not stand in its document.
    """
    return [
        Job(case, golden.corpus, texts[golden.name].snapshot, resolve(case, texts[golden.name]))
        for golden, case in plan.cases
    ]


def describe_run(services: Services, plan: Plan, texts: Mapping[str, SnapshotTexts]) -> RunInfo:
    """What a run of this plan would be, before it has run."""
    parts = {} if plan.variant == CANDIDATE else {"variant": plan.variant}
    return RunInfo(
        suite=plan.suite.name,
        suite_sha256=plan.suite.sha256,
        split=plan.split,
        golden_sets={golden.name: golden.sha256 for golden in plan.sets},
        snapshots={golden.corpus: texts[golden.name].snapshot for golden in plan.sets},
        release=describe(services.pipeline, services.settings, parts),
        variant=plan.variant,
        cases=tuple(case.id for _, case in plan.cases),
        repeats=plan.suite.repeats,
        commit=git_commit(Path.cwd()),
        hardware=hardware(),
        reference_ms=None,
        versions=library_versions(),
        started=datetime.now(UTC),
    )


def _done(folder: Path, now: RunInfo) -> list[CaseRecord]:
    """The records of a run that broke off, if what would be run now is the same in all that decides its numbers."""
    then = read_run(folder / "run.json")
    for name in (
        "suite",
        "suite_sha256",
        "split",
        "golden_sets",
        "snapshots",
        "release",
        "variant",
        "cases",
        "hardware",
    ):
        if getattr(then, name) != getattr(now, name):
            raise NotComparable(f"{folder.name} cannot be resumed: its {name} differs from what would be run now.")
    return read_records(folder / "records.jsonl")


def _new_folder(runs: Path, info: RunInfo) -> Path:
    """A folder of its own: two runs in the same millisecond are told apart by failing, not by mixing."""
    stamp = f"{info.started:%Y%m%dT%H%M%S.%f}"[:-3].replace(".", "-")
    kind = "" if info.variant == CANDIDATE else f"-{info.variant}"
    folder = runs / f"{stamp}-{info.suite}{kind}"
    folder.mkdir(parents=True)
    return folder


def _silent(step: str, done: int, total: int) -> None:
    """No progress bar."""
