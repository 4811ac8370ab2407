"""Small real files, made when a test needs them: no binary fixtures."""

import io
import zipfile
import zlib

import docx
import xlsxwriter
from fpdf import FPDF
from pptx import Presentation
from pptx.util import Inches

LONG_SENTENCE = (
    "In chapter {} there is a sentence which is long enough to be wrapped more than once, so that its lines must be "
    "joined again into one paragraph of text."
)


def zipped(members: dict[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def a_docx() -> bytes:
    document = docx.Document()
    document.core_properties.title = ""
    document.add_heading("Field guide", level=0)
    document.add_heading("Ducks", level=1)
    document.add_paragraph("A duck swims well.")
    document.add_paragraph("bread", style="List Bullet")
    document.add_paragraph("grain", style="List Bullet")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip((c for row in table.rows for c in row.cells), ["Name", "Size", "Teal", "small"], strict=True):
        cell.text = text
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def a_pptx() -> bytes:
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = "Plan"
    slide.placeholders[1].text = "First step\nSecond step"
    slide.notes_slide.notes_text_frame.text = "Speak slowly."
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = "Numbers"
    table = slide.shapes.add_table(2, 2, Inches(1), Inches(1), Inches(4), Inches(1)).table
    for at, text in enumerate(["Year", "Sum", "2024", "17"]):
        table.cell(at // 2, at % 2).text = text
    group = slide.shapes.add_group_shape()
    group.shapes.add_textbox(Inches(1), Inches(3), Inches(2), Inches(1)).text_frame.text = "inside a group"
    buffer = io.BytesIO()
    deck.save(buffer)
    return buffer.getvalue()


def a_workbook() -> bytes:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as workbook:
        sheet = workbook.add_worksheet("Stock")
        for at, row in enumerate([["Item", "Count", "Note"], ["Bolt", 3, "M4"], ["Nut", 2.5, ""], [], ["loose", 7]]):
            sheet.write_row(at, 0, row)
        workbook.add_worksheet("Empty")
        hidden = workbook.add_worksheet("Secret")
        hidden.write(0, 0, "hidden words")
        hidden.hide()
    return buffer.getvalue()


def a_pdf(password: str = "") -> bytes:
    """Four pages with header, page number, a hyphenated word and an outline."""

    class Paper(FPDF):
        def header(self) -> None:
            self.set_font("Helvetica", size=8)
            self.cell(text="ACME internal report")
            self.ln(12)

        def footer(self) -> None:
            self.set_y(-15)
            self.set_font("Helvetica", size=8)
            self.cell(text=f"Page {self.page_no()} of 4", align="C")

    paper = Paper(format=(148, 210))
    paper.set_title("Yearly report")
    if password:
        paper.set_encryption(owner_password=password, user_password=password)
    for number, name in enumerate(["Summary", "Revenue", "Costs", "Outlook"], start=1):
        paper.add_page()
        paper.start_section(name)
        paper.set_font("Helvetica", size=16)
        paper.cell(text=name)
        paper.ln(10)
        paper.set_font("Helvetica", size=11)
        paper.multi_cell(w=0, align="L", text=LONG_SENTENCE.format(number))
        paper.ln(8)
        paper.multi_cell(w=0, align="L", text=f"A second paragraph of page {number}.")
    return bytes(paper.output())


def a_blank_pdf() -> bytes:
    paper = FPDF()
    paper.add_page()
    return bytes(paper.output())


def pdf_with_stream(stream: bytes, entries: bytes = b"/Filter /FlateDecode") -> bytes:
    header = b"%PDF-1.4\n1 0 obj\n<< /Length " + str(len(stream)).encode() + b" " + entries + b" >>\nstream\n"
    return header + stream + b"\nendstream\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"


def deflated_zeros(size: int) -> bytes:
    """Zeros compressed bit by bit, so that making a bomb takes no memory."""
    deflater = zlib.compressobj(9)
    parts = [deflater.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    return b"".join([*parts, deflater.flush()])


def a_book() -> bytes:
    container = (
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
    )
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        '<dc:title>Two tales</dc:title></metadata><manifest><item id="a" href="a%20b.xhtml" '
        'media-type="application/xhtml+xml"/><item id="b" href="b.xhtml" media-type="application/xhtml+xml"/>'
        "</manifest>"
        '<spine><itemref idref="b"/><itemref idref="a"/></spine></package>'
    )
    chapter = '<?xml version="1.0"?><html><head><title/></head><body><h2>{0}</h2><p>Text of {0}.</p></body></html>'
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": container,
            "OEBPS/book.opf": package,
            "OEBPS/a b.xhtml": chapter.format("Second"),
            "OEBPS/b.xhtml": chapter.format("First"),
        }
    )


A_MAIL = (
    b"From: Ann Lee <ann@example.com>\r\nTo: bob@example.com\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    b"Date: Mon, 02 Mar 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
    b"--x\r\nContent-Type: multipart/alternative; boundary=y\r\n\r\n"
    b"--y\r\nContent-Type: text/plain\r\n\r\nSee HTML.\r\n"
    b"--y\r\nContent-Type: text/html; charset=iso-8859-1\r\n\r\n<p>The <b>real</b> body of the caf\xe9 message"
    b" is here.</p>\r\n--y--\r\n"
    b"--x\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=bill.pdf\r\n\r\nxx\r\n--x--\r\n"
)

MARKDOWN = """---
title: Setup guide
---
# Install

Run **this** [first](https://example.com/x):

```sh
pip  install x   # twice
```

| Key | Value |
|-----|-------|
| a   | 1     |

- one
- two
"""

HTML = """<!doctype html><html><head><title>A page</title><style>p{}</style></head><body>
<nav><a href=/>Home</a> <a href=/b>Blog</a></nav>
<h1>Ducks<a class="headerlink" href="#d">¶</a></h1>
<p>A <b>du</b>ck is a bird.<br>It swims.</p><p hidden>never</p><p style="display:NONE">nor this</p>
<script>var x</script>
<table><caption>Sizes</caption><tr><th>Name</th><th>Size</th></tr><tr><td rowspan=2>Teal</td><td>small</td></tr>
<tr><td>grey</td></tr></table>
<ol start=3><li>three<ul><li>deep</li></ul></li><li>four</li></ol>
<pre>def f():
    return  1</pre>
<dl><dt>Term</dt><dd>Meaning</dd></dl><img src=x alt="A grey duck">
<footer>Copyright</footer></body></html>"""
