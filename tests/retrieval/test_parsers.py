import io
import zipfile

import pytest

from retrieval.canonical import CanonicalText
from retrieval.parsers import csv, docx, eml, epub, html, markdown, pdf, pptx, spreadsheet, text
from retrieval.parsers.blocks import walk_html
from retrieval.parsers.rows import write_rows
from retrieval.types import ParsedText
from tests.retrieval import samples


def headings(parsed: ParsedText) -> list[tuple[int, str]]:
    return [(section.level, section.title) for section in parsed.sections]


def pages(parsed: ParsedText) -> dict[str, str]:
    return {page.label: parsed.text[page.start : page.end] for page in parsed.pages}


def walked(source: str) -> str:
    out = CanonicalText()
    walk_html(source, out)
    return out.build("text/html").text


def test_html() -> None:
    parsed = html.parse(samples.HTML.encode())
    assert parsed.title == "A page"
    assert headings(parsed) == [(1, "Ducks")]
    assert parsed.text == (
        "Ducks\n\nA duck is a bird.\nIt swims.\n\nSizes\nName | Size\nTeal | small\nTeal | grey\n\n"
        "3. three\n  - deep\n4. four\n\ndef f():\n    return  1\n\nTerm\n  Meaning\n\nA grey duck"
    )


def test_html_main_element_wins_over_the_rest() -> None:
    words = "Words of the article that matter. " * 20
    main = f"<div class=menu><a>x</a></div><h1>T</h1><p>{words}</p><ol><li>a<li>b</ol>"
    page = f"<body><div>Top bar</div><main>{main}</main><p>end</p></body>"
    assert html.parse(page.encode()).text == f"T\n\n{words.strip()}\n\n1. a\n2. b"


def test_html_clutter_without_a_name_goes() -> None:
    words = "Words of the article that matter, in a sentence of some length. " * 8
    links = "".join(f"<div><a href=/{n}>Another story number {n}</a></div>" for n in range(20))
    page = f"<html><body><div>{links}</div><div><h1>Story</h1><p>{words}</p><p>{words}</p></div></body></html>"
    text = html.parse(page.encode()).text
    assert "Another story" not in text and text.count("Words of the article") == 16 and text.startswith("Story")


def test_html_numbered_lists_keep_their_numbers() -> None:
    assert html.parse(b"<h2>Steps</h2><ol><li>open it</li><li>close it</li></ol>").text == (
        "Steps\n\n1. open it\n2. close it"
    )


def test_html_without_content_but_navigation_keeps_it() -> None:
    assert html.parse(b"<html><nav><a>Only</a> <a>links</a></nav></html>").text == "Only links"


def test_html_in_a_declared_encoding() -> None:
    page = '<html><head><meta charset="windows-1251"></head><p>Привет, мир</p></html>'.encode("cp1251")
    assert html.parse(page).text == "Привет, мир"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<p>a<p>b<div>c<span> d</span></div>", "a\n\nb\n\nc d"),
        ("<table><tr><td><h2>Left</h2>x</td><td><table><tr><td>1<td>2</table></td></tr></table>", "Left\n\nx\n\n1 | 2"),
        ("<ul><li><p>a</p><p>b</p><li>c</ul>d", "- a\n  b\n- c\n\nd"),
        ("<table><tr><td>a<br>b<p>c</p></td><td></td><td>d</td><td></td></tr></table>", "a b c |  | d"),
        ("<input type=checkbox checked>done <input type=checkbox>open", "[x] done [ ] open"),
        ("<h1>a<br><div>b</div></h1>c", "a b\n\nc"),
        ("soft\u00adhyphen", "softhyphen"),
        ("<ul><li><h3>x</h3>y</ul>", "x\n\n- y"),
        ("<p>unclosed <b>tags<p>everywhere</i></ul></table>", "unclosed tags\n\neverywhere"),
        ("<?xml version='1.0'?><html><title/><body><a id='x'/><p>seen</p></body></html>", "seen"),
    ],
)
def test_walker(source: str, expected: str) -> None:
    assert walked(source) == expected


@pytest.mark.parametrize("tags", ["<div>", "<ul><li>", "<table><tr><td>", "<blockquote><p>", "<b><i>"])
def test_deep_nesting_neither_recurses_nor_blows_up(tags: str) -> None:
    assert len(walked(tags * 3000 + "x")) < 500


def test_markdown() -> None:
    parsed = markdown.parse(samples.MARKDOWN.encode())
    assert parsed.title == "Setup guide"
    assert headings(parsed) == [(1, "Install")]
    assert parsed.text == (
        "Install\n\nRun this first:\n\npip  install x   # twice\n\nKey | Value\na | 1\n\n- one\n- two"
    )


def test_markdown_rule_at_the_top_is_no_front_matter() -> None:
    assert markdown.parse(b"---\nplain words\n\n---\n# A\n").text == "plain words\n\nA"


def test_docx() -> None:
    parsed = docx.parse(samples.a_docx())
    assert parsed.title == "Field guide"
    assert headings(parsed) == [(1, "Field guide"), (1, "Ducks")]
    assert parsed.text == (
        "Field guide\n\nDucks\n\nA duck swims well.\n\n- bread\n- grain\n\nName | Size\nTeal | small"
    )


def test_docx_keeps_formulas() -> None:
    run = "<m:r><m:t>{}</m:t></m:r>".format
    formula = f"<m:oMath>{run('A=π')}<m:sSup><m:e>{run('r')}</m:e><m:sup>{run('2')}</m:sup></m:sSup></m:oMath>"
    document = (
        '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
        'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"><w:body><w:p><w:r><w:t>Area: </w:t></w:r>'
        f"{formula}</w:p><w:p><m:oMathPara>{formula}</m:oMathPara></w:p></w:body></w:document>"
    )
    with zipfile.ZipFile(io.BytesIO(samples.a_docx())) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    assert docx.parse(samples.zipped({**members, "word/document.xml": document})).text == "Area: A=πr^2\n\nA=πr^2"


def test_pptx() -> None:
    parsed = pptx.parse(samples.a_pptx())
    assert headings(parsed) == [(1, "Plan"), (1, "Numbers")]
    assert pages(parsed) == {
        "1": "Plan\n\nFirst step\nSecond step\n\nNotes: Speak slowly.",
        "2": "Numbers\n\nYear | Sum\n2024 | 17\n\ninside a group",
    }


def test_spreadsheet() -> None:
    parsed = spreadsheet.parse_xlsx(samples.a_workbook())
    assert pages(parsed) == {
        "Stock": "Stock\n\nItem: Bolt; Count: 3; Note: M4\nItem: Nut; Count: 2.5\n\nloose | 7",
    }


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([["Title", ""], ["A", "B"], ["1", "2"]], "Title\nA: 1; B: 2"),
        ([["", "B", "C", "D"], ["r", "1", "2", "3"]], "r; B: 1; C: 2; D: 3"),
        ([["1", "2"], ["3", "4"]], "1 | 2\n3 | 4"),
        ([["Name:", "Ann"], ["Age:", "7"]], "Name: | Ann\nAge: | 7"),
        ([["A", "B"], ["1", "2", "extra"]], "A | B\n1 | 2 | extra"),
        ([["only", "header"]], "only | header"),
    ],
)
def test_rows(rows: list[list[str]], expected: str) -> None:
    out = CanonicalText()
    write_rows(rows, out)
    assert out.build("text/csv").text == expected


def test_csv() -> None:
    assert csv.parse('\ufeffName;Town\n"Lee; Ann";"Köln\nSüd"\nBob;Ulm\n'.encode()).text == (
        "Name: Lee; Ann; Town: Köln Süd\nName: Bob; Town: Ulm"
    )


def test_eml_takes_the_body_that_says_most() -> None:
    parsed = eml.parse(samples.A_MAIL)
    assert parsed.title == "Grüße"
    assert parsed.text == (
        "Grüße\n\nFrom: Ann Lee <ann@example.com>\nTo: bob@example.com\nDate: Mon, 02 Mar 2026 10:00:00 +0000\n\n"
        "The real body of the café message is here.\n\nAttachment: bill.pdf"
    )


def test_epub_follows_the_spine() -> None:
    parsed = epub.parse(samples.a_book())
    assert parsed.title == "Two tales"
    assert pages(parsed) == {"First": "First\n\nText of First.", "Second": "Second\n\nText of Second."}


def test_text_keeps_its_lines() -> None:
    assert text.parse(b"one  \r\ntwo\r\n\r\n\r\n\r\n  three\x00\n").text == "one\ntwo\n\n  three"


def test_pdf_pages_headings_and_furniture() -> None:
    parsed = pdf.parse(samples.a_pdf())
    assert parsed.title == "Yearly report"
    assert headings(parsed) == [(1, "Summary"), (1, "Revenue"), (1, "Costs"), (1, "Outlook")]
    assert list(pages(parsed)) == ["1", "2", "3", "4"]
    assert pages(parsed)["2"] == f"Revenue\n\n{samples.LONG_SENTENCE.format(2)}\n\nA second paragraph of page 2."


def test_pdf_headings_by_size_without_outline() -> None:
    from fpdf import FPDF

    paper = FPDF()
    paper.add_page()
    for size, words in [
        (20, "Big Title"),
        (11, "Body text of the first part."),
        (14, "Smaller"),
        (11, "More body text."),
    ]:
        paper.set_font("Helvetica", size=size)
        paper.cell(text=words)
        paper.ln(14)
    parsed = pdf.parse(bytes(paper.output()))
    assert parsed.title == "Big Title"
    assert headings(parsed) == [(1, "Big Title"), (2, "Smaller")]


def test_pdf_page_numbers_go_and_numbers_in_the_text_stay() -> None:
    from fpdf import FPDF

    paper = FPDF()
    paper.set_auto_page_break(auto=False)
    paper.set_font("Helvetica", size=11)
    for number in (7, 8):
        paper.add_page()
        paper.set_y(60)
        paper.cell(text="The answer is")
        paper.ln(20)
        paper.cell(text="42")
        paper.set_y(-20)
        paper.cell(text=f"- {number} -")
    assert pages(pdf.parse(bytes(paper.output()))) == dict.fromkeys("12", "The answer is\n\n42")


def test_pdf_undoes_hyphenation() -> None:
    from fpdf import FPDF

    paper = FPDF(format=(148, 210))
    paper.add_page()
    paper.set_font("Helvetica", size=11)
    text = (
        "The committee considered the whole docu-/ment in its session, and a well-/known expert said that a well-known/"
    )
    for line in f"{text}rule applied to the docu-/ment as before.".split("/"):
        paper.cell(text=line)
        paper.ln(5)
    words = pdf.parse(bytes(paper.output())).text.split()
    assert words.count("document") == 2 and words.count("well-known") == 2
