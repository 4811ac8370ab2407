"""The threshold meets the target as it says, on fresh cases too."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.deciding.risk import NEVER, threshold

CASES = st.lists(st.tuples(st.sampled_from([i / 20 for i in range(21)]), st.booleans()), max_size=80)


@given(CASES, st.floats(0.01, 0.9))
def test_it_is_the_lowest_that_meets_the_bound(cases: list[tuple[float, bool]], target: float) -> None:
    found = threshold([p for p, _ in cases], [w for _, w in cases], target)

    def meets(least: float) -> bool:
        answered = [wrong for p, wrong in cases if p >= least]
        return bool(answered) and sum(answered) + 1 <= target * len(answered)

    lowest = min((p for p, _ in cases if meets(p)), default=NEVER)
    assert found.value == lowest
    assert found.answered == sum(p >= found.value for p, _ in cases)
    assert found.wrong == sum(wrong for p, wrong in cases if p >= found.value)
    assert not found.answered or found.bound <= target + 1e-12


def test_too_few_cases_answer_nothing() -> None:
    assert threshold([0.9] * 19, [False] * 19, 0.05).value == NEVER
    assert threshold([0.9] * 20, [False] * 20, 0.05).value == 0.9
    assert threshold([], [], 0.05).value == NEVER


def test_wrong_answers_to_fresh_questions_stay_below_the_target_on_average() -> None:
    rng, n, target = np.random.default_rng(5), 150, 0.1
    shares, losses = [], []
    for _ in range(3_000):
        sure = rng.random(2 * n)
        wrong = rng.random(2 * n) > sure**0.5
        found = threshold(sure[:n], wrong[:n], target)
        failed = ((sure[n:] >= found.value) & wrong[n:]).sum()
        shares.append(failed / found.answered if found.answered else 0.0)
        losses.append(failed / n)
    assert np.mean(shares) <= target + 2 * np.std(shares) / len(shares) ** 0.5
    assert np.mean(losses) <= target
    assert np.mean(shares) > target / 3, "a threshold that answers nearly nothing would pass, too"
