"""One run of a suite, from cases to a summary on disk."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from app.bootstrap import Services
from evals.cases import Case
from evals.evidence import SnapshotTexts, resolve
from evals.golden import GoldenSet
from evals.provenance import git_commit, library_versions
from evals.records import RecordFile, write_run
from evals.runner import Runner, Step
from evals.suites import Suite
from evals.summary import Measured, summarise
from evals.types import RunInfo


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: where it is kept, what it was, and what became of each case."""

    folder: Path
    info: RunInfo
    measured: Sequence[Measured]


async def evaluate(
    services: Services,
    suite: Suite,
    sets: Sequence[GoldenSet],
    cases: Sequence[Case],
    texts: SnapshotTexts,
    progress: Step | None = None,
) -> Run:
    """Run cases through the pipeline of `services`, and keep records, what was run, and the summary.

    Raises:
        EvidenceError: Gold evidence does not stand in the documents; nothing is run.
    """
    jobs = [(case, resolve(case, texts)) for case in cases]
    info = RunInfo(
        suite=suite.name,
        golden_sets={golden.name: golden.sha256 for golden in sets},
        corpus=suite.corpus,
        snapshot=texts.snapshot,
        provider=services.pipeline.provider.name,
        cases=tuple(case.id for case in cases),
        commit=git_commit(Path.cwd()),
        versions=library_versions(),
        started=datetime.now(UTC),
    )
    await services.warm_up()  # the first case should not pay for loading the model
    folder = _new_folder(services.settings.home / "runs", info)
    write_run(folder / "run.json", info)
    with RecordFile(folder / "records.jsonl") as records:
        runner = Runner(services.pipeline.run, suite, texts.snapshot, records.append, progress or _silent)
        done = await runner.run(jobs)
    measured = list(zip(cases, done, strict=True))
    summary = summarise(measured, suite.scorers, suite.slices)
    info = replace(info, finished=datetime.now(UTC), summary=summary)
    write_run(folder / "run.json", info)
    return Run(folder, info, measured)


def _new_folder(runs: Path, info: RunInfo) -> Path:
    """A folder of its own: two runs in the same millisecond are told apart by failing, not by mixing."""
    folder = runs / f"{info.started:%Y%m%dT%H%M%S.%f}"[:-3].replace(".", "-")
    folder = folder.with_name(f"{folder.name}-{info.suite}")
    folder.mkdir(parents=True)
    return folder


def _silent(step: str, done: int, total: int) -> None:
    """No progress bar."""
