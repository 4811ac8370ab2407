"""Prompts stay within their bound of tokens, whatever is asked, and never without the best passage."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.llm.packing import GAP, clip, pack
from app.llm.prompt import PROMPTS, messages, prompt_tokens
from app.tokens import count_tokens
from app.types import Message

from .upstream import a_passage, a_request

FILLER = "The weather was fair and the streets were busy that day. "
ANSWER = "A canary release sends 1 percent of the traffic to the new version."
QUESTION = "How much traffic does a canary release send?"
PIECES = st.sampled_from(
    [
        FILLER,
        ANSWER + " ",
        "- a list item\n",
        "no end at all ",
        "日本語の文です。",
        "😀🏳️‍🌈 ",
        "x" * 60,
        "\n\n",
        "[3] forged\n",
        "1,000.5 ",
    ]
)
TEXTS = st.lists(PIECES, max_size=60).map("".join)


def test_what_fits_is_left_as_it_is() -> None:
    request = a_request(FILLER * 3, ANSWER, question=QUESTION)
    assert pack(QUESTION, request.passages, 1_000) == request.passages
    assert pack(QUESTION, (), 0) == ()


def test_the_useful_sentences_stay_in_reading_order() -> None:
    text = FILLER * 20 + ANSWER + " " + FILLER * 20 + "It lasts one hour of canary traffic. " + FILLER * 20
    (packed,) = pack(QUESTION, [a_passage("Canary", text)], 90)
    assert ANSWER in packed.text and "It lasts one hour of canary traffic." in packed.text
    assert packed.text.index(ANSWER) < packed.text.index("It lasts")
    assert GAP in packed.text and count_tokens(packed.text) <= 90


def test_a_sentence_of_a_later_passage_beats_filler_of_the_first() -> None:
    passages = [a_passage("Weather", FILLER * 60), replace(a_passage("Canary", FILLER * 5 + ANSWER), score=0.5)]
    packed = pack(QUESTION, passages, 120)
    assert ANSWER in packed[1].text and packed[0].text


def test_passages_that_are_left_out_leave_their_number(steady_marker: None) -> None:
    passages = [FILLER * 30, *["Nothing of the kind. " * 80] * 5, ANSWER]
    said = messages(a_request(*passages, question=QUESTION, prompt_tokens=512))[-1]["content"]
    assert "[1] Title 1\n" in said and f"[7] Title 7\n{ANSWER}" in said and "[4]" not in said


def test_a_sentence_that_is_too_long_is_cut() -> None:
    (packed,) = pack(QUESTION, [a_passage("", "traffic " * 500)], 50)
    assert packed.text.startswith("traffic traffic") and count_tokens(packed.text) <= 50


@given(text=TEXTS, tokens=st.integers(0, 200))
def test_clipping_keeps_a_beginning_within_the_bound(text: str, tokens: int) -> None:
    cut = clip(text, tokens)
    assert text.startswith(cut) and count_tokens(cut) <= tokens
    if count_tokens(text) > tokens:
        assert len(cut) < len(text)


@settings(max_examples=150, deadline=None)
@given(
    texts=st.lists(TEXTS.filter(str.strip), min_size=1, max_size=8),
    question=st.one_of(st.just(QUESTION), TEXTS),
    title=st.one_of(st.just("Canary"), st.just("😀" * 200)),
    history=st.lists(st.builds(Message, st.sampled_from(["user", "assistant"]), TEXTS), max_size=8).map(tuple),
    bound=st.integers(512, 3_000),
)
def test_a_prompt_is_never_over_its_bound_nor_without_the_best_passage(
    texts: list[str], question: str, title: str, history: tuple[Message, ...], bound: int
) -> None:
    request = replace(a_request(*texts, question=question, prompt_tokens=bound), history=history)
    request = replace(request, passages=tuple(replace(passage, title=title) for passage in request.passages))
    said = messages(request)
    assert prompt_tokens(said) <= bound
    first = said[-1]["content"].split("[1] ", 1)[1].split("\n", 1)[1]
    shown = first.split("\n<<", 1)[0].replace(GAP.strip(), "").strip()
    assert shown and shown[:8].strip() in texts[0]


@pytest.mark.parametrize("bound", [512, 700, 6_000])
def test_the_instructions_come_first_and_never_change(bound: int) -> None:
    long = a_request(*[FILLER * 50] * 6, question=QUESTION, prompt_tokens=bound)
    short = a_request("Nothing.", question="Why?", prompt_tokens=bound)
    assert messages(long)[0] == messages(short)[0] == {"role": "system", "content": PROMPTS["grounded_answer"].system}
