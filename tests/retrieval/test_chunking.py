"""Chunks tile the text: the invariant on which every citation rests."""

import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from retrieval.chunking import CHARS_PER_TOKEN, Chunker
from retrieval.types import Document, ParsedText, Section

TEXTS = st.text(max_size=400) | st.text(alphabet="ab .,;?!\n世🙂\u00a0\t", max_size=1500)


def count(text: str) -> int:
    return len(re.findall(r"\w+|[^\w\s]", text))


CHUNKER = Chunker(32, count)


def document(text: str, sections: tuple[Section, ...] = (), title: str = "A title") -> Document:
    return Document(
        "d", "v", "u", "0" * 64, "p", datetime.now(UTC), ParsedText(text, "text/plain", title, "", sections)
    )


@given(TEXTS, st.lists(st.integers(0, 1500), max_size=5))
def test_chunks_tile_any_text_with_exact_offsets(text: str, heads: list[int]) -> None:
    sections = tuple(Section(head, 1, "h") for head in sorted(set(heads)))
    position = 0
    for chunk in CHUNKER.chunk(document(text, sections)):
        assert chunk.text == text[chunk.start : chunk.end] == chunk.text.strip() != ""
        assert chunk.start >= position
        assert not text[position : chunk.start].strip(), "only white space lies between chunks"
        assert count(chunk.text) <= 32
        position = chunk.end
    assert not text[position:].strip()


def test_whole_sections_share_a_chunk_while_they_fit() -> None:
    text = "One\n\nshort words.\n\nTwo\n\n" + "long words here. " * 20
    two = text.index("Two")
    spans = CHUNKER.spans(text, [0, two])
    assert spans[0] == (0, text.index("\n\nTwo"))
    assert all(start >= two for start, _ in spans[1:])


def test_context_names_title_and_headings_once() -> None:
    text = "Splits\n\nBy time\n\nTrain on the past."
    sections = (Section(0, 1, "Splits"), Section(text.index("By time"), 2, "By time"))
    chunk = Chunker(7, count).chunk(document(text, sections, title="Splits"))[-1]
    assert chunk.context == "Splits > By time"
    assert chunk.indexed_text.endswith("Train on the past.")


def test_a_context_over_its_budget_keeps_the_nearest_heading() -> None:
    long = "word " * 60
    chunker = Chunker(32, count, context_tokens=4)
    assert chunker.chunk(document("text here", (Section(0, 1, "near"),), title=long))[0].context == "near"


def test_a_word_of_a_million_letters_is_cut_too() -> None:
    text = "data " + "a" * 1_000_000 + " end"
    spans = CHUNKER.spans(text, [])
    assert max(end - start for start, end in spans) <= CHARS_PER_TOKEN * 32
    assert "".join(text[start:end] for start, end in spans).replace(" ", "") == text.replace(" ", "")
