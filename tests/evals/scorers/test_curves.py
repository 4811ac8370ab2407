"""Risk-coverage, calibration and confidence: values by hand, order by property."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.types import Claim
from evals.scorers.abstention import confidence
from evals.scorers.curves import aurc, calibration, excess_aurc, expected_calibration_error, risk_coverage
from tests.evals.conftest import citation, make_result, passage

CASES = st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0]), st.booleans()), min_size=1, max_size=30)


def test_the_curve_by_hand() -> None:
    curve = risk_coverage([0.2, 0.9, 0.5, 0.7], [0, 1, 1, 0])  # by confidence: right, wrong, right, wrong
    assert curve.coverage == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert curve.risk == pytest.approx([0, 1 / 2, 1 / 3, 2 / 4])
    assert aurc([0.2, 0.9, 0.5, 0.7], [0, 1, 1, 0]) == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)


def test_the_excess_by_hand() -> None:
    # Best order: right, right, wrong, wrong: risks 0, 0, 1/3, 1/2.
    best = (0 + 0 + 1 / 3 + 1 / 2) / 4
    assert excess_aurc([0.2, 0.9, 0.5, 0.7], [0, 1, 1, 0]) == pytest.approx((4 / 3) / 4 - best)
    assert excess_aurc([0.9, 0.8, 0.1], [1, 1, 0]) == 0.0


def test_equal_confidences_have_no_order() -> None:
    assert risk_coverage([0.5] * 4, [1, 0, 0, 0]).risk == pytest.approx([0.75] * 4)


@given(CASES, st.randoms())
def test_the_order_of_cases_does_not_count(cases: list[tuple[float, bool]], random: object) -> None:
    mixed = list(cases)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert aurc(*zip(*cases, strict=True)) == pytest.approx(aurc(*zip(*mixed, strict=True)))


@given(CASES)
def test_bounds(cases: list[tuple[float, bool]]) -> None:
    sure, right = zip(*cases, strict=True)
    curve = risk_coverage(sure, right)
    assert ((curve.risk >= 0) & (curve.risk <= 1)).all()
    assert curve.risk[-1] == pytest.approx(1 - np.mean(right))
    assert 0 <= excess_aurc(sure, right) <= aurc(sure, right) + 1e-12
    assert 0 <= expected_calibration_error(sure, right) <= 1
    assert sum(b.n for b in calibration(sure, right)) == len(cases)


def test_calibration_by_hand() -> None:
    found = calibration([0.0, 0.1, 0.95, 1.0], [0, 1, 1, 1])
    assert [(b.n, b.confidence, b.accuracy) for b in found] == [(2, 0.05, 0.5), (2, 0.975, 1.0)]
    assert expected_calibration_error([0.0, 0.1, 0.95, 1.0], [0, 1, 1, 1]) == pytest.approx((0.45 + 0.025) / 2)


@pytest.mark.parametrize(("sure", "right"), [([], []), ([0.1], [1, 0]), ([float("nan")], [1]), ([0.1], [2])])
def test_nonsense_is_refused(sure: list[float], right: list[float]) -> None:
    with pytest.raises(ValueError, match="confidence"):
        aurc(sure, right)
    with pytest.raises(ValueError, match="confidence"):
        calibration(sure, right)


def test_a_score_outside_the_unit_interval_has_no_calibration() -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        calibration([1.2], [1])


def test_confidence_of_a_result() -> None:
    cited, found = citation(0, 9), passage(0, 9)
    claims = (Claim("a", (cited,), 0.5), Claim("b", (cited,), 0.8))
    sure = replace(make_result("x"), claims=claims, passages=(replace(found, score=0.25), replace(found, score=0.5)))
    assert confidence(sure) == pytest.approx(0.8 * 0.5)
    assert confidence(make_result()) == 0.0
    assert confidence(replace(sure, passages=())) == 0.0
