"""Four actions, each from the passages and the question alone."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.deciding.calibration import Calibrations
from app.deciding.decide import Decider, Decision
from app.deciding.joined import WITHOUT_PAIRS
from app.deciding.model import load
from app.deciding.outcome import outcome
from app.deciding.signals import NAMES
from app.deciding.wording import ABSTENTION, clarification, left_open, topics
from app.reading import Reading, SentenceReader
from app.types import Action, ChatRequest, Citation, Claim
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.types import Passage

DECIDER = Decider(
    SentenceReader(HashingEmbedder().embed_passages),
    load(WITHOUT_PAIRS, NAMES),
    ThreadPoolExecutor(1),
    Calibrations(Path("nowhere"), "", 0.05),
)
CANARY = "A canary release sends 1 percent of the traffic to the new version for one hour."


def passage(title: str, text: str, score: float = 1.0, section: str | None = None) -> Passage:
    return Passage(title, title, title, "s", 0, len(text), text, None, section, score)


def decided(question: str, *passages: Passage, decider: Decider = DECIDER, history: tuple = ()) -> Decision:  # type: ignore[type-arg]
    return decider.decided(question, ChatRequest(question, history), passages)


def test_what_stands_there_is_answered_and_what_does_not_is_abstained_from() -> None:
    canary = passage("Canary", CANARY)
    there = decided("How much traffic does a canary release send to the new version?", canary)
    absent = decided("Who painted the ceiling of the Sistine Chapel?", canary)
    assert there.action is Action.ANSWER and there.answers and there.probability > absent.probability
    strict = replace(DECIDER, threshold=(there.probability + absent.probability) / 2)
    no = decided("Who painted the ceiling of the Sistine Chapel?", canary, decider=strict)
    assert no.action is Action.ABSTAIN and no.options == ("Canary",)
    assert decided("anything").action is Action.ABSTAIN


class Sure(Decider):
    """Finds an answer where a word of the question stands in a passage."""

    def probability(self, reading: Reading) -> float:
        return 0.9 if "invent" in reading.question and "used" not in reading.question else 0.1


def test_a_part_without_an_answer_is_said_to_be_missing() -> None:
    sure = Sure(DECIDER.reader, DECIDER.model, DECIDER.executor, DECIDER.calibrations, threshold=0.5)
    gin = passage("Cotton gin", "The cotton gin was invented in 1793 by Eli Whitney.")
    found = decided("Where was the gin invented and where is it used today?", gin, decider=sure)
    assert (found.action, found.missing) == (Action.PARTLY, ("where is it used today?",))
    said = outcome(found, [Claim("It was invented in 1793.", (), 1.0)], [gin])
    assert said.action is Action.PARTLY
    assert said.answer == (
        "It was invented in 1793. The documents I have do not seem to answer this part: “where is it used today”."
    )
    assert outcome(found, [], [gin]).action is Action.ABSTAIN


LOGS = passage("Audit logs", "Audit logs are kept for 90 days and then removed.", 0.9)
BACKUPS = passage("Backups", "Backups are kept for 30 days and then removed.", 0.85)


def test_a_question_that_fits_several_documents_and_names_none_is_asked_back() -> None:
    found = decided("How long do we keep it?", LOGS, BACKUPS)
    assert (found.action, found.options) == (Action.CLARIFY, ("Audit logs", "Backups"))
    said = outcome(found, [], [LOGS, BACKUPS])
    assert said.answer == "Which of these do you mean: Audit logs; or Backups?" and said.options == found.options


@pytest.mark.parametrize(
    ("question", "passages"),
    [
        ("How long are backups kept?", (BACKUPS, LOGS)),
        ("How long do we keep it?", (LOGS, replace(BACKUPS, score=0.2))),
        ("How long do we keep the records of payments and of refunds?", (LOGS, BACKUPS)),
    ],
)
def test_a_question_that_says_which_is_not_asked_back(question: str, passages: tuple[Passage, ...]) -> None:
    assert decided(question, *passages).action is not Action.CLARIFY
    assert decided(question, *passages, decider=replace(DECIDER, clarifies=False)).action is not Action.CLARIFY


def test_the_nearest_topics_are_named_once_with_their_sections() -> None:
    found = [passage("A", "x", section="A > B"), passage("A", "y", section="A > B"), passage("C", "z", section="C")]
    assert topics(found) == ("A: B", "C")
    said = outcome(Decision(Action.ABSTAIN, 0.1), [], found)
    assert said.answer == f"{ABSTENTION} The nearest that they cover: A: B; and C."
    assert outcome(Decision(Action.ABSTAIN, 0.1), [], []).answer == ABSTENTION
    assert left_open([]) == "" and clarification(["A", "B", "C"]).endswith("A; B; or C?")


@given(st.text(max_size=60), st.lists(st.text(min_size=1, max_size=200), max_size=4))
def test_any_text_gets_a_decision(question: str, texts: list[str]) -> None:
    found = decided(question, *(passage(f"t{i}", text) for i, text in enumerate(texts)))
    assert 0 <= found.probability <= 1
    assert (found.action is Action.CLARIFY) <= (len(found.options) > 1)
    assert (found.action is Action.PARTLY) == bool(found.missing)
    assert outcome(found, [], [passage(f"t{i}", text) for i, text in enumerate(texts)]).answer


def test_sources_that_say_otherwise_are_quoted() -> None:
    against = Citation("d2", "old.md", "Old rules", "s1", 0, 21, "It sends 5\npercent.", "0" * 64, None, None)
    said = outcome(Decision(Action.ANSWER, 0.9), [Claim("It sends 1 percent.", (), 1.0, conflicts=(against,))], [])
    assert said.answer == "It sends 1 percent. The sources do not agree. Old rules: “It sends 5 percent.”"
