"""A calibration sets its corpus's threshold as long as it fits what serves."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from app.deciding.calibration import Calibration, Calibrations
from app.deciding.risk import Threshold
from app.errors import ConfigError

FOUND = Calibration(
    corpus="handbook",
    snapshot="s",
    cases_sha256="c",
    made_by="decision 1",
    loss="wrong",
    target=0.05,
    threshold=Threshold(0.61, 200, 120, 5),
    probabilities=(0.1, 0.5, 0.9),
    created="2026-11-28T00:00:00+00:00",
)


def calibrations(folder: Path, made_by: str = "decision 1", target: float = 0.05) -> Calibrations:
    return Calibrations(folder, made_by, target)


def test_it_is_read_by_the_service_that_it_fits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    serving = calibrations(tmp_path)
    assert serving.threshold("handbook") is None and serving.versions() == {}
    serving.write(FOUND)
    assert serving.of("handbook") == FOUND and serving.threshold("handbook") == 0.61
    assert serving.threshold("other") is None
    assert serving.versions() == {"handbook": FOUND.id}
    with caplog.at_level(logging.WARNING):
        assert calibrations(tmp_path, made_by="decision 2").threshold("handbook") is None
        assert calibrations(tmp_path, target=0.1).threshold("handbook") is None
    assert caplog.text.count("Run: evals calibrate") == 2


def test_a_new_one_is_seen_without_a_restart(tmp_path: Path) -> None:
    serving = calibrations(tmp_path)
    path = serving.write(FOUND)
    assert serving.threshold("handbook") == 0.61
    serving.write(replace(FOUND, threshold=Threshold(0.7, 200, 90, 2)))
    assert serving.threshold("handbook") == 0.7
    path.unlink()
    assert serving.threshold("handbook") is None


def test_damage_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "handbook.json").write_text('{"format": 1}')
    with pytest.raises(ConfigError, match="evals calibrate"):
        calibrations(tmp_path).threshold("handbook")


def test_unlike_questions_are_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    serving = calibrations(tmp_path)
    serving.write(replace(FOUND, probabilities=tuple(i / 200 for i in range(200))))
    with caplog.at_level(logging.WARNING):
        for _ in range(200):
            serving.saw("handbook", 0.001)
            serving.saw("uncalibrated", 0.001)
    assert caplog.text.count("recent questions are unlike") == 1
