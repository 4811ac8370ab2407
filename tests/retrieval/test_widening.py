"""Passages grow within their sections and their bound, and stay spans of their document."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from app.bootstrap import Services
from app.settings import Settings
from app.types import ChatRequest
from retrieval.files import list_files
from retrieval.types import Document, ParsedText, Passage, Section
from retrieval.widening import widen
from tests.conftest import Build

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def document(text: str, *heads: int) -> Document:
    sections = tuple(Section(head, 1, text[head:].split("\n", maxsplit=1)[0]) for head in heads)
    return Document("d", "v", "d.md", "0" * 64, "p", NOW, ParsedText(text, "text/plain", "D", "en", sections))


def passage(text: str, start: int, end: int, score: float = 0.5) -> Passage:
    return Passage("d", "d.md", "D", "s", start, end, text[start:end], None, None, score)


TEXT = "One\n\nFirst line.\nSecond line.\nThird line.\n\nTwo\n\nFourth line."
DOC = document(TEXT, 0, TEXT.index("Two"))
SECOND = TEXT.index("Second"), TEXT.index("Second") + len("Second line.")


def test_a_passage_grows_to_its_section_and_no_further() -> None:
    (wide,) = widen([passage(TEXT, *SECOND)], [DOC], 1_000)
    assert wide.text == "One\n\nFirst line.\nSecond line.\nThird line."
    assert wide.section == "One"


def test_it_grows_line_by_line_up_to_the_bound() -> None:
    (wide,) = widen([passage(TEXT, *SECOND)], [DOC], 26)
    assert wide.text == "Second line.\nThird line."
    (same,) = widen([passage(TEXT, *SECOND)], [DOC], 5)
    assert same.text == "Second line."


def test_what_a_better_passage_holds_is_left_out() -> None:
    first = TEXT.index("First"), TEXT.index("First") + len("First line.")
    assert len(widen([passage(TEXT, *SECOND), passage(TEXT, *first)], [DOC, DOC], 1_000)) == 1
    assert len(widen([passage(TEXT, *SECOND), passage(TEXT, *first)], [DOC, DOC], 15)) == 2


@given(
    st.text(alphabet="ab \n", min_size=1, max_size=80),
    st.data(),
    st.integers(0, 100),
    st.lists(st.integers(0, 79), max_size=3),
)
def test_every_passage_stays_a_span_and_holds_what_was_found(
    text: str, data: st.DataObject, bound: int, heads: list[int]
) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    found = text[start:end]
    doc = document(text, *sorted({head for head in heads if head < len(text)}))
    (wide,) = widen([passage(text, start, end)], [doc], bound)
    assert wide.text == text[wide.start : wide.end]
    assert found.strip() in wide.text
    assert len(wide.text) <= max(bound, len(found))


async def test_the_answer_is_drawn_from_the_section(
    build_services: Build, settings: Settings, documents: object
) -> None:
    chat = settings.chat.model_copy(update={"context_chars": 2_000, "passages": 1})
    services: Services = build_services(given=settings.model_copy(update={"chat": chat}))
    services.ingestor.ingest(list_files([documents]), "default")
    found = await services.retriever.search("canary percent of the traffic", "default", 1)
    result = await services.pipeline.run(ChatRequest("How much traffic does a canary release get?"))
    own = result.passages[0]
    assert found.passages[0].text in own.text
    for claim in result.claims:
        for citation in claim.citations:
            assert own.text[citation.start - own.start : citation.end - own.start] == citation.quote
