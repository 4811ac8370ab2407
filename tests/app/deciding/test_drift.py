"""Drift is silent over the same questions and is told once over others."""

import numpy as np
import pytest

from app.deciding.drift import ALERT, ENOUGH, Watch, stability_index


def test_the_same_distribution_is_stable_and_another_is_not() -> None:
    rng = np.random.default_rng(0)
    expected = rng.random(300).tolist()
    assert stability_index(expected, rng.random(500).tolist()) < ALERT
    assert stability_index(expected, (rng.random(500) / 3).tolist()) > ALERT
    assert stability_index([0.5] * 50, [0.5] * 50) == pytest.approx(0.0)
    with pytest.raises(ValueError, match="nothing"):
        stability_index([], [0.1])


def test_a_watch_speaks_once_when_questions_change() -> None:
    rng = np.random.default_rng(1)
    watch = Watch(rng.random(300).tolist())
    assert all(watch.saw(value) is None for value in rng.random(400).tolist())
    told = [index for _ in range(600) if (index := watch.saw(0.01))]
    assert len(told) == 1 and told[0] > ALERT


def test_a_few_turns_say_nothing() -> None:
    watch = Watch([0.9] * 100)
    assert all(watch.saw(0.0) is None for _ in range(ENOUGH - 1))
