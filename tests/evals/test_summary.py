"""A summary counts what it should, with what waits for a feature and what is unstable apart."""

import pytest

from evals.golden.cases import Case
from evals.suites import Suite
from evals.summary import mean_scores, summarise
from evals.types import CaseRecord, Failure, Refusals, Summary
from tests.evals.conftest import ABSTAIN, make_case, make_result

Seen = tuple[Case, CaseRecord]


def record(case: Case, answer: str, repeat: int = 0, **scores: float) -> Seen:
    return case, CaseRecord(case.id, case.sha256, repeat, make_result(answer), scores, (), 0.1, 10.0)


def failed(case: Case, kind: str = "infrastructure") -> Seen:
    return case, CaseRecord(case.id, case.sha256, 0, None, {}, (Failure(kind, None, "Deadline", ""),), 0.1)  # type: ignore[arg-type]


def summary_of(seen: list[Seen], slices: tuple[str, ...] = ()) -> Summary:
    suite = Suite(name="t", sets=("tiny",), scorers=("answer_match", "abstention"), slices=slices)
    return summarise({case.id: case for case, _ in seen}, [one for _, one in seen], suite)


def test_means_are_over_the_cases_that_have_the_score() -> None:
    pdf, md = make_case(id="pdf", slices=["pdf"]), make_case(id="md", slices=["md"])
    none, lost = make_case(id="none", **ABSTAIN, slices=["md"]), make_case(id="lost", slices=["md"])
    seen = [record(pdf, "x", answer_match=1.0), record(md, "x", answer_match=0.0), record(none, ""), failed(lost)]
    summary = summary_of(seen, ("md",))
    found = summary.overall["answer_match"]
    assert (found.mean, found.n) == (0.5, 2)
    assert summary.by_kind["answerable"]["answer_match"].n == 2
    assert summary.by_kind["unanswerable"] == {}
    assert summary.by_slice["md"]["answer_match"].n == 1
    assert (summary.cases, summary.failed) == (4, 1)


def test_cases_that_wait_for_a_feature_are_counted_apart_and_nowhere_else() -> None:
    now, later = make_case(id="now"), make_case(id="later", pending="tools", kind="tool")
    summary = summary_of([record(now, "x", answer_match=1.0), record(later, "x", answer_match=0.0)])
    assert (summary.overall["answer_match"].mean, summary.overall["answer_match"].n) == (1.0, 1)
    assert "tool" not in summary.by_kind
    assert summary.pending_cases == {"tools": 1}
    assert summary.pending["tools"]["answer_match"].mean == 0.0
    assert summary.refusals.answered == 1


def test_repeats_are_one_case_and_tell_what_is_unstable() -> None:
    shaky, firm = make_case(id="shaky"), make_case(id="firm")
    seen = [record(shaky, "x", 0, answer_match=1.0), record(shaky, "x", 1, answer_match=0.0),
            record(firm, "x", 0, answer_match=1.0), record(firm, "x", 1, answer_match=1.0)]  # fmt: skip
    summary = summary_of(seen)
    assert (summary.overall["answer_match"].mean, summary.overall["answer_match"].n) == (0.75, 2)
    assert summary.unstable == ("shaky",)
    assert mean_scores(one for _, one in seen) == {"shaky": {"answer_match": 0.5}, "firm": {"answer_match": 1.0}}


def test_refusals_are_counted_by_what_was_due() -> None:
    yes = [make_case(id=f"y{i}") for i in range(6)]
    no = [make_case(id=f"n{i}", **ABSTAIN) for i in range(5)]
    seen = [record(c, "x") for c in yes[:4]] + [record(c, "") for c in yes[4:]]
    seen += [record(c, "") for c in no[:3]] + [record(no[3], "x"), failed(no[4])]
    assert summary_of(seen).refusals == Refusals(4, 3, 2, 1)


@pytest.mark.parametrize(("failures", "unmeasurable"), [(1, False), (2, True)])
def test_more_than_one_case_in_twenty_that_failed_is_unmeasurable(failures: int, unmeasurable: bool) -> None:
    cases = [make_case(id=f"c-{i}") for i in range(20)]
    seen = [failed(case) for case in cases[:failures]] + [record(case, "x") for case in cases[failures:]]
    assert summary_of(seen).unmeasurable is unmeasurable


def test_a_crash_is_the_release_s_own_fault_and_does_not_make_a_run_unmeasurable() -> None:
    summary = summary_of([failed(make_case(id=f"c-{i}"), "crash") for i in range(3)])
    assert (summary.failed, summary.unmeasurable) == (0, False)


def test_a_run_in_which_all_failed_has_no_latency() -> None:
    assert summary_of([failed(make_case())]).latency is None
