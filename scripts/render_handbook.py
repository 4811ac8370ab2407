"""Render golden_sets/handbook/sources/**.{pdf,docx,html}.md to the real files of golden_sets/handbook/corpus.

Usage: python scripts/render_handbook.py [--check]

Dates are fixed, so a second run with the same libraries writes the same bytes. `--check` writes nothing: it parses
each committed file and a fresh rendering as an ingest would, and exits 1 where their texts differ.
"""

import argparse
import html
import io
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import docx
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Pt, RGBColor
from docx.text.paragraph import Paragraph
from fpdf import FPDF
from fpdf.fonts import FontFace
from markdown_it import MarkdownIt
from markdown_it.token import Token

from retrieval.config import ParseLimits
from retrieval.parsing import parse_bytes

HANDBOOK = Path(__file__).resolve().parent.parent / "golden_sets" / "handbook"
NAME = "The production ML and LLM handbook"
DATE = datetime(2026, 11, 23, tzinfo=UTC)
GREY = (110, 110, 110)


@dataclass(frozen=True)
class Block:
    """A heading (level 1 is the title), a paragraph, a list or a table."""

    kind: str
    text: str = ""
    level: int = 0
    items: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def read_blocks(markdown: str) -> list[Block]:
    """The blocks of a source. Sources are plain: no inline marks, no nesting."""
    blocks: list[Block] = []
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    at = 0
    while at < len(tokens):
        end = next(i for i in range(at, len(tokens)) if tokens[i].level == 0 and tokens[i].nesting <= 0)
        blocks.append(_block(tokens[at], tokens[at : end + 1]))
        at = end + 1
    return blocks


def _block(first: Token, tokens: list[Token]) -> Block:
    texts = tuple(" ".join(token.content.split()) for token in tokens if token.type == "inline")
    if any(child.type not in {"text", "softbreak"} for token in tokens for child in token.children or ()):
        raise ValueError(f"inline marks are not rendered: {texts}")
    if first.type == "heading_open":
        return Block("heading", texts[0], level=int(first.tag[1]))
    if first.type == "paragraph_open":
        return Block("paragraph", texts[0])
    if first.type == "bullet_list_open":
        return Block("list", items=texts)
    if first.type == "table_open":
        width = sum(token.type == "th_open" for token in tokens)
        return Block("table", rows=tuple(texts[i : i + width] for i in range(0, len(texts), width)))
    raise ValueError(f"blocks of type {first.type} are not rendered")


def _part(folder: str) -> str:
    return folder.upper() if folder in {"rag", "llm"} else folder.capitalize()


class _Booklet(FPDF):
    """A5 pages with a running header and page numbers."""

    def __init__(self, title: str) -> None:
        super().__init__(format=(148, 210))  # A5
        self.running = title
        self.c_margin = 0.0
        self.set_margins(18, 20, 18)
        self.set_auto_page_break(True, 20)

    def header(self) -> None:
        self.set_font("Helvetica", size=7.5)
        self.set_text_color(*GREY)
        self.set_y(10)
        self.cell(0, 4, NAME)
        self.set_x(self.l_margin)
        self.cell(0, 4, self.running, align="R")
        self.set_draw_color(190)
        self.line(self.l_margin, 15, self.w - self.r_margin, 15)
        self.set_text_color(0)
        self.set_y(20)

    def footer(self) -> None:
        self.set_y(-14)
        self.set_font("Helvetica", size=7.5)
        self.set_text_color(*GREY)
        self.cell(0, 4, f"Page {self.page_no()} of {{nb}}", align="C")
        self.set_text_color(0)


def render_pdf(blocks: list[Block], folder: str) -> bytes:
    """A booklet with an outline; body in the standard Times, which every reader has."""
    title = blocks[0].text
    pdf = _Booklet(title if len(title) <= 44 else title.split(":")[0])
    pdf.set_creation_date(DATE)
    pdf.set_title(title)
    pdf.set_author("The Assay project")
    pdf.set_lang("en-GB")
    pdf.add_page()
    for block in blocks:
        if block.kind == "heading":
            _pdf_heading(pdf, block, folder)
            continue
        pdf.set_font("Times", size=10.5)
        if block.kind == "paragraph":
            pdf.multi_cell(0, 5, block.text, align="J", new_x="LMARGIN", new_y="NEXT")
        for item in block.items:
            pdf.set_x(pdf.l_margin + 2)
            pdf.cell(4, 5, "\x95")
            pdf.multi_cell(0, 5, item, align="L", new_x="LMARGIN", new_y="NEXT")
            pdf.ln(0.8)
        if block.kind == "table":
            with pdf.table(headings_style=FontFace(emphasis="BOLD"), line_height=5.5, text_align="LEFT") as table:
                for row in block.rows:
                    table.row(row)
        pdf.ln(2.2)
    return bytes(pdf.output())


def _pdf_heading(pdf: FPDF, block: Block, folder: str) -> None:
    if block.level == 1:
        pdf.ln(4)
        pdf.start_section(block.text, level=0)
        pdf.set_font("Helvetica", "B", 17)
        pdf.multi_cell(0, 8, block.text, align="L", new_x="LMARGIN", new_y="NEXT")
        pdf.set_font("Helvetica", size=8.5)
        pdf.set_text_color(*GREY)
        pdf.cell(0, 6, f"Part: {_part(folder)}", new_x="LMARGIN", new_y="NEXT")
        pdf.set_text_color(0)
        pdf.ln(4)
        return
    if pdf.will_page_break(24):  # a heading never stands alone at the foot of a page
        pdf.add_page()
    pdf.ln(2)
    pdf.start_section(block.text, level=block.level - 1)
    pdf.set_font("Helvetica", "B", 12)
    pdf.multi_cell(0, 6, block.text, align="L", new_x="LMARGIN", new_y="NEXT")
    pdf.ln(1.5)


def render_docx(blocks: list[Block], folder: str) -> bytes:
    """A Word document in its own styles, with a running header and page numbers."""
    document = docx.Document()
    core = document.core_properties
    core.title, core.author, core.last_modified_by = blocks[0].text, "The Assay project", "The Assay project"
    core.subject, core.comments, core.language = f"{NAME}: {folder}", "", "en-GB"
    core.created = core.modified = DATE.replace(tzinfo=None)
    document.styles["Normal"].font.name, document.styles["Normal"].font.size = "Calibri", Pt(11)
    for block in blocks:
        if block.kind == "heading":
            document.add_heading(block.text, block.level - 1)  # level 0 is Word's style "Title"
        elif block.kind == "paragraph":
            document.add_paragraph(block.text)
        elif block.kind == "table":
            table = document.add_table(len(block.rows), len(block.rows[0]), "Light Grid Accent 1")
            for row, texts in zip(table.rows, block.rows, strict=True):
                for cell, text in zip(row.cells, texts, strict=True):
                    cell.text = text
            document.add_paragraph()
        for item in block.items:
            document.add_paragraph(item, "List Bullet")
    section = document.sections[0]
    head, foot = section.header.paragraphs[0], section.footer.paragraphs[0]
    head.add_run(f"{NAME} | {_part(folder)}").font.color.rgb = RGBColor(*GREY)
    foot.alignment = WD_ALIGN_PARAGRAPH.CENTER
    foot.add_run("Page ")
    _page_number(foot)
    written = io.BytesIO()
    document.save(written)
    return _fixed_dates(written.getvalue())


def _page_number(paragraph: Paragraph) -> None:
    """A field that Word fills in; python-docx has no call for it."""
    for kind in ("begin", None, "end"):
        run = paragraph.add_run()._r
        if kind is None:
            element = OxmlElement("w:instrText")
            element.text = "PAGE"
        else:
            element = OxmlElement("w:fldChar")
            element.set(qn("w:fldCharType"), kind)
        run.append(element)


def _fixed_dates(archive: bytes) -> bytes:
    """The same zip with every member dated DATE."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            info = zipfile.ZipInfo(name, DATE.timetuple()[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(info, old.read(name))
    return written.getvalue()


def render_html(blocks: list[Block], folder: str) -> bytes:
    """A page of a documentation site: navigation, breadcrumbs and footer around the article."""
    title = html.escape(blocks[0].text)
    contents = "".join(
        f'<li><a href="#s{i}">{html.escape(block.text)}</a></li>' for i, block in enumerate(blocks) if block.level == 2
    )
    article = "\n".join(_html_block(i, block) for i, block in enumerate(blocks))
    page = (HANDBOOK / "sources" / "page.html").read_text("utf-8")
    filled = {"title": title, "part": _part(folder), "contents": contents, "article": article, "name": NAME}
    for key, value in filled.items():
        page = page.replace(f"{{{{{key}}}}}", value)
    return page.encode()


def _html_block(number: int, block: Block) -> str:
    if block.kind == "heading":
        return f'<h{block.level} id="s{number}">{html.escape(block.text)}</h{block.level}>'
    if block.kind == "paragraph":
        return f"<p>{html.escape(block.text)}</p>"
    if block.kind == "list":
        return "<ul>\n" + "\n".join(f"<li>{html.escape(item)}</li>" for item in block.items) + "\n</ul>"
    rows = ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in block.rows]
    return "<table>\n" + "\n".join(f"<tr>{row}</tr>" for row in rows) + "\n</table>"


RENDERERS: Mapping[str, Callable[[list[Block], str], bytes]] = {
    ".pdf": render_pdf,
    ".docx": render_docx,
    ".html": render_html,
}


def main() -> int:
    """Render, or check; returns the exit status."""
    parser = argparse.ArgumentParser(description="Render the handbook's PDF, DOCX and HTML documents.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a rendered file is out of date")
    check = parser.parse_args().check
    sources = HANDBOOK / "sources"
    stale = []
    for source in sorted(sources.rglob("*.md")):
        target = HANDBOOK / "corpus" / source.relative_to(sources).with_suffix("")
        rendered = RENDERERS[target.suffix](read_blocks(source.read_text("utf-8")), source.parent.name)
        if check:
            if not target.is_file() or _text(target.read_bytes()) != _text(rendered):
                stale.append(target)
        elif not target.is_file() or target.read_bytes() != rendered:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(rendered)
            print(f"wrote {target}")
    for target in stale:
        print(f"out of date: {target}. Run: python scripts/render_handbook.py", file=sys.stderr)
    return 1 if stale else 0


def _text(data: bytes) -> str:
    return parse_bytes(data, ParseLimits()).text


if __name__ == "__main__":
    sys.exit(main())
