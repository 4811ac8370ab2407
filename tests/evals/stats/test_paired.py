"""The paired tests: exact where they can be, monotone, and right about no difference."""

from collections import Counter
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from evals.stats.paired import difference, holm, more_cases, sign_flip_p

small = st.lists(st.integers(-3, 3), min_size=1, max_size=9)


@given(st.integers(0, 12), st.integers(0, 12))
def test_with_every_case_its_own_group_it_is_mcnemar_s_exact_test(lost: int, won: int) -> None:
    p = sign_flip_p(np.asarray([-1.0] * lost + [1.0] * won + [0.0] * 5))
    expected = binomtest(lost, lost + won, 0.5, alternative="greater").pvalue if lost + won else 1.0
    assert p == pytest.approx(expected)


@settings(max_examples=60)
@given(small, st.sampled_from([1, 2, 3]))
def test_it_is_the_share_of_sign_patterns(sums: list[int], scale: int) -> None:
    values = np.asarray(sums) / scale
    patterns = [float(np.dot(signs, np.abs(values))) for signs in product((-1, 1), repeat=len(values))]
    expected = sum(total <= values.sum() + 1e-9 for total in patterns) / len(patterns)
    assert sign_flip_p(values) == pytest.approx(expected)


def test_sums_of_no_common_fraction_are_flipped_at_random() -> None:
    values = np.asarray([-0.31415, -0.27182, -0.57721, -0.14142, -0.1, -0.69314])
    assert sign_flip_p(values) == pytest.approx(1 / 64, abs=0.004)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), min_size=3, max_size=30), st.integers(0, 29))
def test_a_case_that_gets_worse_never_makes_the_candidate_look_better(values: list[float], at: int) -> None:
    groups = [str(i) for i in range(len(values))]
    worse = [*values]
    worse[at % len(values)] -= 0.5
    before, after = difference(values, groups), difference(worse, groups)
    assert after.mean < before.mean
    assert after.p <= before.p + 1e-9 or abs(worse[at % len(values)]) < abs(values[at % len(values)])


def test_no_loss_seen_is_no_proof_of_none() -> None:
    found = difference([0.0] * 50, ["g"] * 50)
    assert (found.mean, found.p) == (0.0, 1.0)
    assert found.low == pytest.approx(-0.0711, abs=1e-3)
    assert found.high == pytest.approx(0.0711, abs=1e-3)
    assert difference([0.0] * 500, ["g"] * 500).low > -0.01


def test_an_interval_holds_the_difference_and_narrows_with_cases() -> None:
    few = difference([-1.0, 0.0, 0.0, 1.0, 0.0] * 8, [str(i) for i in range(40)])
    many = difference([-1.0, 0.0, 0.0, 1.0, 0.0] * 80, [str(i) for i in range(400)])
    assert few.low < many.low < 0 < many.high < few.high


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_is_monotone_bounded_and_never_below_p(p: list[float]) -> None:
    found = holm(p)
    assert all(raw <= corrected <= min(1.0, raw * len(p)) + 1e-12 for raw, corrected in zip(p, found, strict=True))
    order = sorted(range(len(p)), key=lambda i: p[i])
    assert all(found[a] <= found[b] + 1e-12 for a, b in pairwise(order))


def test_holm_of_a_textbook_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_more_cases_are_asked_for_where_they_help() -> None:
    rng = np.random.default_rng(3)
    values = rng.choice([-1.0, 0.0, 0.0, 0.0, 1.0], size=60).tolist()
    groups = [str(i) for i in range(60)]
    found = difference(values, groups)
    more = more_cases(found, 60, margin=0.1 - found.mean)
    assert more is not None
    assert more > 0
    assert more_cases(found, 60, margin=max(1e-9, -found.mean - 0.01)) is None or found.mean >= 0
    assert Counter(values)[-1.0] > 0
