"""A summary counts what it should, and its intervals behave."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.cases import Case
from evals.summary import estimate, summarise
from evals.types import CaseRecord, Failure, Refusals
from tests.evals.conftest import ABSTAIN, make_case, make_result


def record(case: Case, answer: str, **scores: float) -> tuple[Case, CaseRecord]:
    return case, CaseRecord(case.id, make_result(answer), scores, (), 0.1)


def failed(case: Case) -> tuple[Case, CaseRecord]:
    return case, CaseRecord(case.id, None, {}, (Failure("run", None, "Deadline", ""),), 0.1)


def test_means_are_over_the_cases_that_have_the_score() -> None:
    pdf, md, none = make_case(slices=["pdf"]), make_case(slices=["md"]), make_case(**ABSTAIN, slices=["md"])
    summary = summarise([record(pdf, "x", m=1.0), record(md, "x", m=0.0), record(none, ""), failed(md)], ["m"], ["md"])
    assert (summary.overall["m"].mean, summary.overall["m"].n) == (0.5, 2)
    assert summary.by_kind["answerable"]["m"].n == 2
    assert summary.by_kind["unanswerable"] == {}
    assert (summary.by_slice["md"]["m"].mean, summary.by_slice["md"]["m"].n) == (0.0, 1)
    assert (summary.cases, summary.failed) == (4, 1)


def test_refusals_are_counted_by_what_was_due() -> None:
    yes, no = make_case(), make_case(**ABSTAIN)
    measured = [record(yes, "x")] * 4 + [record(no, "")] * 3 + [record(yes, "")] * 2 + [record(no, "x"), failed(no)]
    assert summarise(measured, [], []).refusals == Refusals(4, 3, 2, 1)


@pytest.mark.parametrize(("failures", "unmeasurable"), [(1, False), (2, True)])
def test_more_than_one_case_in_twenty_that_failed_is_unmeasurable(failures: int, unmeasurable: bool) -> None:
    case = make_case()
    measured = [failed(case)] * failures + [record(case, "x")] * (20 - failures)
    assert summarise(measured, [], []).unmeasurable is unmeasurable


def test_a_run_in_which_all_failed_has_no_latency() -> None:
    assert summarise([failed(make_case())], ["m"], []).latency is None


@pytest.mark.parametrize("values", [[1.0], [0.0] * 9, [1.0] * 50])
def test_there_is_no_interval_where_the_cases_show_no_spread(values: list[float]) -> None:
    found = estimate(values)
    assert (found.low, found.high) == (None, None)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=2, max_size=60))
def test_an_interval_is_within_bounds_and_repeats(values: list[float]) -> None:
    found = estimate(values)
    assert found == estimate(values)
    if found.low is not None and found.high is not None:
        assert min(values) <= found.low <= found.high <= max(values)


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    samples = (rng.random(40) < 0.7 for _ in range(200))
    found = [estimate(sample.astype(float).tolist()) for sample in samples]
    covered = sum(e.low is not None and e.high is not None and e.low <= 0.7 <= e.high for e in found)
    assert 0.88 <= covered / 200 <= 1.0
