"""Kappa and the estimates that count a judge's bias out: values by hand, coverage by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.scorers.agreement import agreement, prediction_powered, rogan_gladen

LABELS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=40)


def test_kappa_by_hand() -> None:
    # 20 both yes, 15 both no, 5 and 10 split: observed .7, expected .5 * .6 + .5 * .4 = .5, kappa .4 (Cohen's example).
    judge = ["yes"] * 20 + ["yes"] * 5 + ["no"] * 10 + ["no"] * 15
    human = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    found = agreement(judge, human)
    assert (found.n, found.share, found.kappa) == (50, 0.7, pytest.approx(0.4))
    assert found.low is not None
    assert found.high is not None
    assert 0.1 < found.low < 0.2
    assert 0.6 < found.high < 0.7


def test_kappa_without_variety_is_not_defined() -> None:
    found = agreement([1, 1], [1, 1])
    assert (found.share, found.kappa, found.low) == (1.0, None, None)


@given(LABELS)
def test_kappa_is_bounded_and_symmetric(labels: list[tuple[str, str]]) -> None:
    judge, human = zip(*labels, strict=True)
    one, other = agreement(judge, human), agreement(human, judge)
    assert one.kappa == pytest.approx(other.kappa) if one.kappa is not None else other.kappa is None
    if one.kappa is not None and one.low is not None and one.high is not None:
        assert -1 - 1e-9 <= one.low <= one.high <= 1 + 1e-9


def test_rogan_gladen_by_hand() -> None:
    # Sensitivity 18/20 = .9, specificity 16/20 = .8; the judge passes 62 of 100: (.62 + .8 - 1) / (.9 + .8 - 1) = .6
    human = [1] * 20 + [0] * 20
    judge = [1] * 18 + [0] * 2 + [0] * 16 + [1] * 4
    found = rogan_gladen([1] * 62 + [0] * 38, judge, human)
    assert (found.raw, found.rate) == (pytest.approx(0.62), pytest.approx(0.6))
    assert found.low < 0.6 < found.high


def test_prediction_powered_by_hand() -> None:
    # The judge passes 3 of 4 labelled where people pass 2: its bias is +.25.
    found = prediction_powered([1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 0, 0])
    assert (found.raw, found.rate) == (0.75, 0.5)
    assert found.low == 0.0
    assert 0.9 < found.high <= 1.0


@pytest.mark.parametrize("method", [rogan_gladen, prediction_powered])
def test_the_interval_holds_the_true_rate(method: object) -> None:
    """500 simulated studies with a judge that errs: the 95 % interval holds the true rate in about 95 % of them."""
    rng = np.random.default_rng(7)
    rate, sensitivity, specificity = 0.7, 0.9, 0.75

    def study(n: int) -> tuple[np.ndarray, np.ndarray]:
        true = rng.random(n) < rate
        return np.where(true, rng.random(n) < sensitivity, rng.random(n) > specificity).astype(float), true.astype(
            float
        )

    held = 0
    for _ in range(500):
        every, _ = study(300)
        judge, human = study(120)
        found = method(every, judge, human)  # type: ignore[operator]
        held += found.low <= rate <= found.high
    assert 0.92 <= held / 500 <= 0.985


@pytest.mark.parametrize(
    ("judge", "human"), [([1, 1], [1, 1]), ([1, 0], [0, 0]), ([0, 1], [1, 0]), ([1], [1, 0]), ([], [])]
)
def test_labels_that_cannot_tell_are_refused(judge: list[int], human: list[int]) -> None:
    with pytest.raises(ValueError, match=r"pass and a fail|better than chance|same cases"):
        rogan_gladen([1, 0], judge, human)


def test_too_few_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="at least two"):
        prediction_powered([1, 0], [1], [1])
