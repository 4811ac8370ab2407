import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.canonical import CanonicalText, clean, one_line
from retrieval.types import ParsedText

ANY_TEXT = st.text(st.characters() | st.sampled_from("\r\n\t \x0b\x0c\x85\u2028\ufeff\x00\ud800\u00a0#"), max_size=40)
CALLS = st.lists(
    st.one_of(
        st.tuples(st.just("heading"), st.integers(-1, 8), ANY_TEXT),
        st.tuples(st.just("block"), ANY_TEXT),
        st.tuples(st.just("begin_page"), ANY_TEXT),
        st.tuples(st.just("end_page")),
    ),
    max_size=25,
)


def built(calls: list[tuple]) -> ParsedText:
    out = CanonicalText()
    for name, *arguments in calls:
        getattr(out, name)(*arguments)
    return out.build("text/plain")


@given(CALLS)
def test_offsets_are_exact(calls: list[tuple]) -> None:
    parsed = built(calls)
    for section in parsed.sections:
        assert section.title and section.level >= 1
        assert parsed.text[section.start :].startswith(section.title)
        assert section.start == 0 or parsed.text[section.start - 2 : section.start] == "\n\n"
    assert [s.start for s in parsed.sections] == sorted({s.start for s in parsed.sections})
    end = 0
    for page in parsed.pages:
        assert end <= page.start < page.end <= len(parsed.text)
        assert parsed.text[page.start : page.end].strip("\n") == parsed.text[page.start : page.end]
        end = page.end


@given(CALLS)
def test_text_is_canonical(calls: list[tuple]) -> None:
    text = built(calls).text
    assert "\n\n\n" not in text and text == text.strip("\n")
    assert all(line == line.rstrip() for line in text.split("\n"))
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in text if c not in "\n\t")
    assert "\ufeff" not in text
    text.encode()


@given(ANY_TEXT)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean(clean(text)) == clean(text)
    assert one_line(one_line(text)) == one_line(text)


@given(CALLS)
def test_nothing_visible_is_lost(calls: list[tuple]) -> None:
    written = "".join(clean(call[-1]) for call in calls if call[0] in ("heading", "block"))
    assert "".join(built(calls).text.split()) == "".join(written.split())


def test_characters_keep_their_form() -> None:
    assert clean("ﬁ x² Å ½ \u00adsoft") == "ﬁ x² Å ½ \u00adsoft"


def test_what_no_encoding_or_reader_can_use_goes() -> None:
    assert clean("a\ud800b\x00c\x7f\x9fd\ufeff\te\r\nf\x0cg\u2028h") == "abcd\te\nf\ng\nh"


def test_pages_and_headings() -> None:
    out = CanonicalText()
    out.block("before")
    out.begin_page("1")
    out.heading(1, "First\n page")
    out.block("text  \r\n\r\n\r\n\r\nmore")
    out.begin_page("2")
    out.begin_page("3")
    out.block("last")
    parsed = out.build("text/plain")
    assert parsed.text == "before\n\nFirst page\n\ntext\n\nmore\n\nlast"
    assert [(parsed.text[p.start : p.end], p.label) for p in parsed.pages] == [
        ("First page\n\ntext\n\nmore", "1"),
        ("last", "3"),
    ]
    assert parsed.title == "First page"


@pytest.mark.parametrize(("title", "expected"), [("", "Top"), ("Own\ntitle ", "Own title")])
def test_own_title_comes_first(title: str, expected: str) -> None:
    out = CanonicalText()
    out.heading(2, "Sub")
    out.heading(1, "Top")
    assert out.build("text/plain", title).title == expected
