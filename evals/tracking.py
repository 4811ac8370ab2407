"""The only door to MLflow: a run as parameters, metrics with intervals, tags and artifacts."""

import re
import warnings
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from evals.errors import EvalsError
from evals.running.records import Run
from evals.types import Estimate, GateReport, RunInfo, Summary

if TYPE_CHECKING:
    from mlflow import MlflowClient

ARTIFACTS = ("report.html", "report.json", "summary.md", "junit.xml")

_PARAMS_AT_ONCE, _METRICS_AT_ONCE = 100, 1_000
"""The most that one request of MLflow's protocol may hold."""

_MAX_VALUE_CHARS = 500
_MAX_NAME_CHARS = 240


def track(run: Run, gate: GateReport | None, uri: str | None, home: Path) -> str:
    """Log a finished run, in the experiment that is named after its suite.

    Args:
        run: Whose reports are already written.
        gate: What the gate found; None where none was asked.
        uri: Of an MLflow server, or of another store that MLflow knows; None for a database under `home`.
        home: Where all state lives.

    Returns:
        The id of the run in MLflow.

    Raises:
        EvalsError: MLflow is not installed, or the store cannot be reached.
    """
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError:
        raise EvalsError("MLflow is not installed: pip install 'assay[track]'") from None
    if run.info.summary is None:
        raise EvalsError(f"{run.folder.name} broke off; only finished runs are tracked.")
    home.mkdir(parents=True, exist_ok=True)
    store = uri or f"sqlite:///{(home / 'mlflow.db').resolve()}"
    # Without a place of its own, MLflow would put artifacts into the working directory.
    artifacts = None if uri else (home / "mlflow-artifacts").resolve().as_uri()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # MLflow's quarrels with SQLAlchemy are not the user's
        try:
            client = MlflowClient(tracking_uri=store, registry_uri=store)
            experiment = _experiment(client, f"assay-{run.info.suite}", artifacts)
        except Exception as error:  # noqa: BLE001 -- every kind of store has errors of its own
            raise _refused(store, error) from None
        try:
            return _log(client, experiment, run, gate)
        except (MlflowException, OSError) as error:
            raise _refused(store, error) from None


def parameters(info: RunInfo) -> Mapping[str, str]:
    """What was run, flat: MLflow compares runs by these."""
    release = info.release
    return {
        "suite": info.suite,
        "split": info.split,
        "variant": info.variant,
        "repeats": str(info.repeats),
        "cases": str(len(info.cases)),
        "release.id": release.id,
        "release.code": release.code_sha256,
        "release.provider": release.provider,
        "release.prompt": release.prompt,
        "release.embedder": release.embedder,
        **{f"setting.{name}": value for name, value in release.settings.items()},
        **{f"part.{name}": value for name, value in release.parts.items()},
        **{f"hardware.{name}": value for name, value in info.hardware.items()},
        **{f"version.{name}": value for name, value in info.versions.items()},
    }


def metrics(summary: Summary) -> Iterator[tuple[str, float]]:
    """Every number of a summary under a name; the ends of an interval end in `_low` and `_high`."""
    yield from _estimates("", summary.overall)
    for prefix, groups in (("kind", summary.by_kind), ("slice", summary.by_slice), ("pending", summary.pending)):
        for group, found in groups.items():
            yield from _estimates(f"{prefix}.{group}/", found)
    yield "cases", float(summary.cases)
    yield "cases_not_measured", float(summary.failed)
    yield "cases_unstable", float(len(summary.unstable))
    if summary.latency:
        yield "latency_p50_ms", summary.latency.p50_ms
        yield "latency_p95_ms", summary.latency.p95_ms
        yield "latency_p99_ms", summary.latency.p99_ms


def tags(run: Run, gate: GateReport | None) -> Mapping[str, str]:
    """What a run is found by: verdict, commit, snapshots, golden sets."""
    info = run.info
    return {
        "assay.run": run.folder.name,
        "assay.verdict": gate.verdict.name if gate else "none",
        "assay.commit": info.commit or "none",
        **{f"assay.snapshot.{name}": snapshot for name, snapshot in info.snapshots.items()},
        **{f"assay.golden_set.{name}": sha256 for name, sha256 in info.golden_sets.items()},
    }


def _estimates(prefix: str, found: Mapping[str, Estimate]) -> Iterator[tuple[str, float]]:
    for name, one in found.items():
        yield prefix + name, one.mean
        if one.low is not None and one.high is not None:
            yield f"{prefix}{name}_low", one.low
            yield f"{prefix}{name}_high", one.high


def _experiment(client: "MlflowClient", name: str, artifacts: str | None) -> str:
    found = client.get_experiment_by_name(name)
    made: str = found.experiment_id if found else client.create_experiment(name, artifact_location=artifacts)
    return made


def _refused(store: str, error: Exception) -> EvalsError:
    """One line; a password in the address is nobody's reading."""
    return EvalsError(re.sub("//[^/@]*@", "//", f"MLflow at {store} cannot take the run: {error}")[:400])


def _log(client: "MlflowClient", experiment_id: str, run: Run, gate: GateReport | None) -> str:
    from mlflow.entities import Metric, Param

    info = run.info
    created = client.create_run(experiment_id, _ms(info.started), dict(tags(run, gate)), run.folder.name)
    run_id: str = created.info.run_id
    status = "FAILED"
    try:
        params = [Param(_name(name), value[:_MAX_VALUE_CHARS]) for name, value in parameters(info).items()]
        for at in range(0, len(params), _PARAMS_AT_ONCE):
            client.log_batch(run_id, params=params[at : at + _PARAMS_AT_ONCE])
        when = _ms(info.finished or info.started)
        found = [Metric(_name(name), value, when, 0) for name, value in (metrics(info.summary) if info.summary else ())]
        for at in range(0, len(found), _METRICS_AT_ONCE):
            client.log_batch(run_id, metrics=found[at : at + _METRICS_AT_ONCE])
        for name in ARTIFACTS:
            if (run.folder / name).is_file():
                client.log_artifact(run_id, str(run.folder / name))
        status = "FINISHED"
    finally:
        client.set_terminated(run_id, status, _ms(info.finished or info.started))
    return run_id


def _name(text: str) -> str:
    """A name that MLflow takes: letters, digits and a few signs."""
    return "".join(letter if letter.isalnum() or letter in "_-. :/" else "_" for letter in text)[:_MAX_NAME_CHARS]


def _ms(when: datetime) -> int:
    return int(when.timestamp() * 1000)
