"""Runs in MLflow, on a real SQLite store."""

import sys
from pathlib import Path

import pytest

from app.settings import _OFFLINE
from evals.errors import EvalsError
from evals.report.write import write_reports
from evals.running.records import Run
from evals.tracking import track
from evals.types import GateReport

Pair = tuple[Run, Run, GateReport]


def test_a_run_is_logged_with_intervals_and_artifacts(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow", reason="pip install mlflow-skinny")
    run, baseline, gate = pair
    write_reports(run, gate, baseline, {})
    stand, home = tmp_path / "stand", tmp_path / "home"
    stand.mkdir()
    monkeypatch.chdir(stand)
    ids = [track(run, gate, None, home) for _ in range(2)]
    assert len(set(ids)) == 2
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{home / 'mlflow.db'}")
    logged = client.get_run(ids[0])
    found = run.info.summary.overall["answer_match"]  # type: ignore[union-attr]
    metrics = logged.data.metrics
    assert metrics["answer_match"] == pytest.approx(found.mean)
    assert metrics["answer_match_low"] == pytest.approx(found.low)
    assert metrics["answer_match_high"] == pytest.approx(found.high)
    assert metrics["kind.answerable/answer_match"] > 0
    assert logged.data.params["release.id"] == run.info.release.id
    assert logged.data.params["setting.chat.min_support"] == "0.7"
    tags = logged.data.tags
    assert (tags["assay.verdict"], tags["assay.snapshot.golden-tiny"]) == ("FAIL", "5" * 16)
    assert tags["assay.golden_set.tiny"] == "f" * 64
    assert logged.info.status == "FINISHED"
    names = {path.name for path in (home / "mlflow-artifacts").rglob("*") if path.is_file()}
    assert names == {"report.html", "report.json", "summary.md", "junit.xml"}
    assert list(stand.iterdir()) == []  # nothing where one happens to stand


def test_a_store_that_cannot_take_it_is_one_line_without_its_password(pair: Pair, tmp_path: Path) -> None:
    pytest.importorskip("mlflow", reason="pip install mlflow-skinny")
    with pytest.raises(EvalsError, match="cannot take the run") as raised:
        track(pair[0], None, f"sqlite://me:secret@/{tmp_path}/none/where.db", tmp_path)
    assert "secret" not in str(raised.value)


def test_without_mlflow_the_pip_line_is_given(pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(EvalsError, match=r"pip install 'assay\[track\]'"):
        track(pair[0], None, None, tmp_path)


def test_mlflow_sends_nothing_home() -> None:
    assert _OFFLINE["MLFLOW_DISABLE_TELEMETRY"] == "true"
