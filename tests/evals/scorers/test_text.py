"""Words of answers, and meaning by a fake embedder: values by hand."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.scorers.semantic import semantic_similarity
from evals.scorers.text import exact_match, must_score, rouge_l, token_f1
from evals.scorers.words import normalised
from evals.types import Scorer
from retrieval.embedders.hashing import HashingEmbedder
from tests.evals.conftest import ABSTAIN, evidence, make_case, make_result


def score(scorer: Scorer, answer: str, *answers: str, **gold: Any) -> float | None:
    quotes = [{"uri": "canary.md", "quote": "roll back"}]
    case = make_case(gold={"action": "answer", "answers": list(answers), "evidence": quotes, **gold})
    return scorer(case, make_result(answer), evidence())


@pytest.mark.parametrize(
    ("answer", "gold", "f1"),
    [
        ("roll back within 5 minutes", ["5 minutes"], 4 / 7),  # 2 shared of 5 and 2
        ("the cat the cat", ["a cat"], 2 / 3),  # articles are no words; "cat" counts once: 2 * 1 / (2 + 1)
        ("yes", ["no", "Yes!"], 1.0),
        ("yes", ["no"], 0.0),
        ("在5分钟内", ["5分钟"], 2 * 3 / 8),  # Chinese by character, as MLQA counts
        ("", ["x"], 0.0),
    ],
)
def test_token_f1(answer: str, gold: list[str], f1: float) -> None:
    assert score(token_f1, answer, *gold) == pytest.approx(f1)


def test_rouge_l_counts_order() -> None:
    # Longest common subsequence of "police killed the gunman" and "police kill the gunman": police, gunman ("the" is
    # no word). Reversed, only one word is left in order.
    assert score(rouge_l, "police killed the gunman", "police kill the gunman") == pytest.approx(2 * 2 / 6)
    assert score(rouge_l, "gunman killed police", "police killed gunman") == pytest.approx(2 * 1 / 6)
    assert score(token_f1, "gunman killed police", "police killed gunman") == 1.0


@pytest.mark.parametrize(
    ("answer", "gold", "match"),
    [
        ("The 1,000!", "1000", 1.0),
        ("CAFÉ", "cafe", 1.0),
        ("5 minutes or so", "5 minutes", 0.0),
        ("ﬁve", "five", 1.0),
    ],
)
def test_exact_match_is_normalised(answer: str, gold: str, match: float) -> None:
    assert score(exact_match, answer, gold) == match


def test_must_score_is_a_share() -> None:
    assert score(must_score, "30 days, tenant", "x", must=["30 days", "tenant", "owner"]) == pytest.approx(2 / 3)
    assert score(must_score, "", must=["know"]) == 0.0, "the words of an abstention are no answer"
    assert score(must_score, "x", "x") is None


def test_words_do_not_apply_where_no_answer_is_due() -> None:
    assert [s(make_case(**ABSTAIN), make_result("x"), evidence()) for s in (exact_match, token_f1, rouge_l)] == [
        None
    ] * 3


def test_vowel_signs_are_part_of_words() -> None:
    assert normalised("हिन्दी में") == ("हिन्दी", "में")


def test_meaning() -> None:
    made: list[HashingEmbedder] = []

    def make() -> HashingEmbedder:
        made.append(HashingEmbedder())
        return made[-1]

    metric = semantic_similarity(make)
    assert not made, "nothing is loaded before the first text"
    assert score(metric.score, "roll back now", "something else", "roll back now") == pytest.approx(1.0)
    near, far = score(metric.score, "roll it back", "roll back"), score(metric.score, "bananas", "roll back")
    assert near is not None
    assert far is not None
    assert near > far
    assert score(metric.score, "", "roll back") == 0.0
    assert score(metric.score, "roll back", must=["roll", "back"]) == pytest.approx(1.0)
    assert metric.score(make_case(**ABSTAIN), make_result("x"), evidence()) is None
    assert len(made) == 1


def test_gold_is_embedded_before_the_first_case_and_once() -> None:
    class Counting(HashingEmbedder):
        asked: list[str] = []  # noqa: RUF012 -- read by this test only

        def embed_query(self, text: str) -> Any:
            self.asked.append(text)
            return super().embed_query(text)

    metric = semantic_similarity(Counting)
    assert metric.prepare is not None
    metric.prepare([make_case(), make_case()])
    assert Counting.asked == ["5 minutes"]
    for _ in range(2):
        metric.score(make_case(), make_result("yes"), evidence())
    assert Counting.asked == ["5 minutes", "yes"]


@given(st.text(max_size=30).filter(lambda text: bool(normalised(text))))
def test_the_gold_itself_is_perfect(text: str) -> None:
    if make_result(text).abstained:
        return
    assert [score(s, text, text) for s in (exact_match, token_f1, rouge_l)] == [1.0] * 3


@given(st.text(max_size=40), st.text(max_size=40))
def test_order_only_lowers(answer: str, gold: str) -> None:
    one, other = score(rouge_l, answer, gold), score(token_f1, answer, gold)
    assert one is not None
    assert other is not None
    assert one <= other + 1e-9
