"""A stored run, scored anew by the scorers of today: a mended scorer then counts for both sides of a gate."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from evals.running.runner import Job, score
from evals.types import CaseRecord, Metric


def rescored(records: Sequence[CaseRecord], jobs: Mapping[str, Job], metrics: Mapping[str, Metric]) -> list[CaseRecord]:
    """Records with the scores that today's scorers give them.

    Only what was answered from the very snapshot of the jobs can be scored anew: gold spans are characters of its
    texts. Other records keep the scores they had.
    """
    return [_one(record, jobs.get(record.case_id), metrics) for record in records]


def _one(record: CaseRecord, job: Job | None, metrics: Mapping[str, Metric]) -> CaseRecord:
    result = record.result
    if job is None or result is None or result.snapshot != job.snapshot or record.case_sha256 != job.case.sha256:
        return record
    scores, failures = score(metrics, job.case, result, job.evidence)
    kept = tuple(failure for failure in record.failures if failure.kind != "scorer")
    return replace(record, scores=scores, failures=(*kept, *failures))
