"""The gate: what passes, what fails and why, what cannot be told."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.gate.gate import Judge, Side, chance
from evals.gate.slices import worst_slice
from evals.golden.cases import Case
from evals.scorers import SCORERS
from evals.types import Failure, Verdict
from tests.evals.gate.runs import SUITE, cases, judged, side

Harm = Callable[[Case, dict[str, float]], Mapping[str, float]]


def rules(report: object) -> set[str]:
    return {finding.rule for finding in report.findings if finding.verdict is not None}  # type: ignore[attr-defined]


def losing(share: float, seed: int = 1) -> Harm:
    """Turns a share of the right answers wrong."""
    random = np.random.default_rng(seed)

    def harm(case: Case, scores: dict[str, float]) -> Mapping[str, float]:
        if scores.get("answer_match") == 1.0 and random.random() < share:
            scores["answer_match"] = 0.0
        return scores

    return harm


def test_the_same_scores_pass() -> None:
    some = cases()
    report = judged(some, side(some))
    assert report.verdict is Verdict.PASS
    assert report.pairs == 200
    assert {one.outcome for one in report.comparisons if one.slice is None} == {"not_worse"}
    assert not report.changes


def test_a_loss_beyond_chance_fails_with_the_cases_that_changed() -> None:
    some = cases()
    report = judged(some, side(some, losing(0.25)))
    assert report.verdict is Verdict.FAIL
    assert "regression" in rules(report)
    [worst] = [one for one in report.comparisons if one.metric == "answer_match" and one.slice is None]
    assert worst.outcome == "worse"
    assert worst.low < worst.difference < worst.high < 0
    assert all((change.baseline, change.candidate) == (1.0, 0.0) for change in report.changes)
    assert len(report.changes) == round(-worst.difference * worst.pairs)


def test_a_gain_passes() -> None:
    def better(case: Case, scores: dict[str, float]) -> Mapping[str, float]:
        return {**scores, **({"answer_match": 1.0} if "answer_match" in scores else {})}

    some = cases()
    assert judged(some, side(some, better)).verdict is Verdict.PASS


def test_a_loss_that_may_be_chance_is_inconclusive_and_says_what_would_decide() -> None:
    some = cases(60)
    report = judged(some, side(some, losing(0.06)))
    assert report.verdict is Verdict.INCONCLUSIVE
    [finding] = [f for f in report.findings if f.rule == "inconclusive" and "answer_match" in f.message]
    assert "more cases would" in finding.message
    [one] = [one for one in report.comparisons if one.metric == "answer_match" and one.slice is None]
    assert one.outcome == "unclear"


def test_a_change_confined_to_a_slice_of_twenty_fails() -> None:
    def broken(case: Case, scores: dict[str, float]) -> Mapping[str, float]:
        return {**scores, "answer_match": 0.0} if "pdf" in case.slices else scores

    some = cases()
    report = judged(some, side(some, broken))
    assert sum("pdf" in case.slices for case in some.values()) == 20
    assert report.verdict is Verdict.FAIL
    assert any("pdf" in finding.message for finding in report.findings if finding.verdict is Verdict.FAIL)


def test_a_slice_that_nobody_declared_is_found() -> None:
    def broken(case: Case, scores: dict[str, float]) -> Mapping[str, float]:
        return {**scores, "answer_match": 0.0} if "pdf" in case.slices else scores

    some = cases()
    report = judged(some, side(some, broken), suite=SUITE.model_copy(update={"slices": ()}))
    [finding] = [finding for finding in report.findings if finding.rule == "slice"]
    assert "slice=pdf" in finding.message
    assert report.verdict is Verdict.FAIL


def test_one_wrong_quote_fails_whatever_the_average_says() -> None:
    some = cases()
    report = judged(some, side(some, lambda c, s: {**s, "quote_validity": 0.5} if c.id == "c-007" else s))
    assert report.verdict is Verdict.FAIL
    assert [f.case_ids for f in report.findings if f.rule == "invariant"] == [("c-007",)]


def test_a_new_failure_on_a_critical_case_fails_and_an_old_one_does_not() -> None:
    some = cases()
    name = next(n for n, r in zip(some, side(some).records, strict=True) if r.scores.get("answer_match") == 1.0)
    some[name] = some[name].model_copy(update={"severity": "critical"})
    broken = side(some, lambda c, s: {**s, "answer_match": 0.0} if c.id == name else s)
    report = judged(some, broken)
    assert report.verdict is Verdict.FAIL
    assert [f.case_ids for f in report.findings if f.rule == "critical"] == [(name,)]
    assert judged(some, broken, broken).verdict is Verdict.PASS


def test_a_critical_case_that_is_right_in_some_repeats_only_is_inconclusive() -> None:
    some = cases()
    name = next(n for n, r in zip(some, side(some).records, strict=True) if r.scores.get("answer_match") == 1.0)
    some[name] = some[name].model_copy(update={"severity": "critical"})
    shaky = side(some, lambda c, s: {**s, "answer_match": 0.5} if c.id == name else s)
    assert judged(some, shaky).verdict is Verdict.INCONCLUSIVE


def test_a_release_that_raises_fails() -> None:
    some = cases()
    good = side(some)
    broken = replace(good.records[3], scores={}, failures=(Failure("crash", None, "ValueError", "bug"),))
    report = judged(some, Side(good.info, [*good.records[:3], broken, *good.records[4:]]))
    assert (report.verdict, rules(report)) == (Verdict.FAIL, {"crash"})


def failing(run: Side, count: int, failure: Failure) -> Side:
    lost = [replace(record, scores={}, failures=(failure,)) for record in run.records[:count]]
    return Side(run.info, [*lost, *run.records[count:]])


@pytest.mark.parametrize(("lost", "verdict"), [(10, Verdict.PASS), (11, Verdict.UNMEASURABLE)])
def test_infrastructure_is_left_out_of_the_mean_until_too_much_is_lost(lost: int, verdict: Verdict) -> None:
    some = cases()
    report = judged(some, failing(side(some), lost, Failure("infrastructure", None, "Deadline", "")))
    assert report.verdict is verdict


def test_a_broken_scorer_of_an_invariant_is_unmeasurable_not_a_pass() -> None:
    some = cases()
    run = side(some)
    scores = {name: value for name, value in run.records[1].scores.items() if name != "quote_validity"}
    broken = replace(run.records[1], scores=scores, failures=(Failure("scorer", "quote_validity", "KeyError", ""),))
    report = judged(some, Side(run.info, [run.records[0], broken, *run.records[2:]]))
    assert report.verdict is Verdict.UNMEASURABLE


def test_without_a_baseline_nothing_is_proven() -> None:
    some = cases()
    metrics = {name: SCORERS[name] for name in SUITE.scorers}
    report = Judge(SUITE, some, metrics=metrics).judge(side(some), None)
    assert (report.verdict, rules(report)) == (Verdict.INCONCLUSIVE, {"inconclusive"})


def test_runs_of_other_cases_are_not_compared() -> None:
    some = cases()
    others = {name: case.model_copy(update={"question": f"Else {name}?"}) for name, case in some.items()}
    report = judged(some, side(some), side(others))
    assert report.verdict is Verdict.UNMEASURABLE
    assert (report.pairs, len(report.unpaired)) == (0, 200)


def test_cases_that_wait_for_a_feature_decide_nothing() -> None:
    some = cases()
    for name in list(some)[:40]:
        some[name] = some[name].model_copy(update={"pending": "tools", "severity": "critical"})
    bad = side(some, lambda c, s: {"answer_match": 0.0, "quote_validity": 0.0} if c.pending else s)
    report = judged(some, bad)
    assert (report.verdict, report.pairs) == (Verdict.PASS, 160)


def slower(run: Side, factor: float, **info: object) -> Side:
    records = [replace(record, total_ms=(record.total_ms or 0.0) * factor) for record in run.records]
    return Side(replace(run.info, **info), records)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("factor", "info", "verdict"),
    [
        (1.1, {}, Verdict.PASS),
        (1.5, {}, Verdict.FAIL),
        (1.5, {"reference_ms": 1.5}, Verdict.INCONCLUSIVE),  # the machine was as much slower itself
        (2.5, {"reference_ms": 1.5}, Verdict.FAIL),  # too slow however much of it the machine explains
        (1.0, {"reference_ms": 0.5}, Verdict.INCONCLUSIVE),  # the baseline ran on a busy machine
        (1.1, {"reference_ms": 1.05}, Verdict.PASS),
        (1.5, {"hardware": {"cpu": "other"}}, Verdict.PASS),
        (100.0, {"hardware": {"cpu": "other"}}, Verdict.FAIL),  # beyond the budget of any machine
    ],
)
def test_latency_is_a_ratio_on_equal_hardware(factor: float, info: dict[str, object], verdict: Verdict) -> None:
    some = cases()
    report = judged(some, slower(side(some), factor, **info))
    assert report.verdict is verdict
    if verdict is Verdict.FAIL:
        assert rules(report) == {"latency"}


def test_a_busy_machine_is_named_and_the_interval_spans_both_readings() -> None:
    some = cases()
    report = judged(some, slower(side(some), 1.5, reference_ms=1.5))
    [finding, _] = [f for f in report.findings if f.rule == "latency"]
    assert "1.5 × busier now" in finding.message
    for ratio in report.ratios[:2]:
        assert (ratio.low, ratio.ratio, ratio.high) == (pytest.approx(1.0), pytest.approx(1.5), pytest.approx(1.5))


@pytest.mark.parametrize(("p", "said"), [(0.0, "p < 0.0001"), (0.00009, "p < 0.0001"), (0.0123, "p 0.0123")])
def test_a_p_value_is_never_nothing(p: float, said: str) -> None:
    assert chance(p) == said


def test_a_candidate_that_beats_nothing_simple_is_flagged_but_not_failed() -> None:
    some = cases()
    metrics = {name: SCORERS[name] for name in SUITE.scorers}
    judge = Judge(SUITE, some, metrics=metrics)
    same, worse = side(some), side(some, losing(0.9))
    report = judge.judge(same, same, {"simple": same, "poor": worse})
    assert [f.message for f in report.findings if f.rule == "baselines"] != []
    assert all("simple" in f.message for f in report.findings if f.rule == "baselines")
    assert report.verdict is Verdict.PASS
    [lift] = [one for one in report.lifts["poor"] if one.metric == "answer_match"]
    assert lift.low > 0.2


def test_looks_at_the_test_split_share_the_error_rates() -> None:
    some = cases()
    once, twenty = judged(some, side(some)), judged(some, side(some), looks=3, looks_budget=20)
    assert twenty.alpha == pytest.approx(once.alpha / 20)
    assert twenty.looks == 3
    assert twenty.comparisons[0].low < once.comparisons[0].low


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 0.5), st.floats(0, 0.5))
def test_more_harm_never_turns_a_fail_into_a_pass(seed: int, less: float, more: float) -> None:
    some = cases(80)
    less, more = sorted((less, more))
    draws = np.random.default_rng(seed).random(80)
    at = {name: float(draws[i]) for i, name in enumerate(some)}

    def harmed(share: float) -> Side:
        return side(some, lambda c, s: {**s, "answer_match": 0.0} if "answer_match" in s and at[c.id] < share else s)

    first, second = judged(some, harmed(less)), judged(some, harmed(more))
    if first.verdict is Verdict.FAIL:
        assert second.verdict is Verdict.FAIL
    one, other = (
        next(c for c in r.comparisons if c.metric == "answer_match" and c.slice is None) for r in (first, second)
    )
    assert other.difference <= one.difference
    assert other.p <= one.p + 1e-9


def test_the_worst_slice_is_corrected_for_all_that_were_tried() -> None:
    some = cases()
    random = np.random.default_rng(5)
    from evals.gate.pairing import pair_up

    found = []
    for _ in range(40):
        noise = {name: random.random() for name in some}
        flip = side(some, lambda c, s: {**s, "answer_match": 1 - s["answer_match"]} if "answer_match" in s and noise[c.id] < 0.1 else s)  # noqa: B023, E501  # fmt: skip
        back = side(some, lambda c, s: {**s, "answer_match": 1 - s["answer_match"]} if "answer_match" in s and noise[c.id] > 0.9 else s)  # noqa: B023, E501  # fmt: skip
        pairs, _ = pair_up(some, back.records, flip.records)
        worst = worst_slice(pairs, "answer_match", SCORERS["answer_match"])
        found.append(1.0 if worst is None else worst.p)
    assert sum(p <= 0.05 for p in found) <= 6
