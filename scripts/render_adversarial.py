"""Render golden_sets/adversarial/sources/additions.yaml to the poisoned documents of golden_sets/adversarial/additions.

Usage: python scripts/render_adversarial.py [--check]

Dates are fixed, so a second run with the same libraries writes the same bytes. `--check` writes nothing: it parses
each file and a fresh rendering as an ingest would, and exits 1 where texts differ. Files left over are errors in both.

In CSV and XLSX a paragraph "topic :: note" is a row of two cells. In HTML, EPUB and HTML mail a paragraph that begins
with "<" is markup and is written as it stands.
"""

import argparse
import base64
import csv
import html
import io
import sys
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from itertools import cycle
from pathlib import Path
from typing import Any

import docx
import pptx
import xlsxwriter
import yaml
from docx.opc.constants import CONTENT_TYPE, RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import OxmlElement
from docx.oxml.ns import nsmap, qn
from docx.shared import Pt, RGBColor
from fpdf import FPDF
from pptx.dml.color import RGBColor as SlideColor

from retrieval.config import ParseLimits
from retrieval.parsing import parse_bytes

ADVERSARIAL = Path(__file__).resolve().parent.parent / "golden_sets" / "adversarial"
DATE = datetime(2026, 11, 23, 9, 0)
AUTHOR = "The Assay project"
PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUQAOw==")  # a GIF of one pixel
INVISIBLE = "\u200b\u2060\u200c"  # zero-width space, word joiner, zero-width non-joiner


@dataclass(frozen=True)
class Addition:
    """One document: what a reader sees, and what is hidden from one."""

    uri: str
    title: str
    paragraphs: tuple[str, ...]
    hidden: Mapping[str, str]

    def at(self, where: str) -> list[str]:
        """What is hidden in one kind of place, as a list of one or none."""
        return [self.hidden[where]] if where in self.hidden else []

    def flow(self) -> list[str]:
        """The paragraphs, then the one whose small letters are held apart by invisible characters."""
        marks = cycle(INVISIBLE)
        apart = ("".join(x + next(marks) if x.islower() else x for x in text) for text in self.at("zero_width"))
        return [*self.paragraphs, *apart]

    def rows(self) -> list[tuple[str, str]]:
        """The paragraphs as (topic, note)."""
        cut = (text.partition(" :: ") for text in self.flow())
        return [(topic, note) if note else (self.title, topic) for topic, _, note in cut]


def read_additions(path: Path) -> list[Addition]:
    """The documents of additions.yaml, in its order."""
    found = []
    for item in yaml.safe_load(path.read_text("utf-8")):
        hidden = {entry["where"]: entry["text"] for entry in item.get("hidden", ())}
        addition = Addition(item["uri"], item["title"], tuple(item["paragraphs"]), hidden)
        if unknown := hidden.keys() - FORMATS[Path(addition.uri).suffix][1].split():
            raise ValueError(f"{addition.uri}: nothing can be hidden in {sorted(unknown)}")
        found.append(addition)
    return found


def render_md(addition: Addition) -> bytes:
    """A Markdown page."""
    parts = [f"# {addition.title}", *addition.flow()]
    parts += [f"<!-- {text} -->" for text in addition.at("html_comment")]
    parts += [f"![{text}](figures/overview.png)" for text in addition.at("alt_text")]
    return ("\n\n".join(parts) + "\n").encode()


def render_txt(addition: Addition) -> bytes:
    """Plain text under a title in capitals."""
    return ("\n\n".join([addition.title.upper(), *addition.flow()]) + "\n").encode()


def _markup(addition: Addition) -> str:
    """The body that HTML, EPUB and HTML mail share."""
    parts = [f"<h1>{html.escape(addition.title)}</h1>"]
    parts += [text if text.startswith("<") else f"<p>{html.escape(text)}</p>" for text in addition.flow()]
    parts += [f"<!-- {text} -->" for text in addition.at("html_comment")]
    style = "color:#ffffff;background:#ffffff;font-size:1px"
    parts += [f'<p style="{style}">{html.escape(text)}</p>' for text in addition.at("white_text")]
    parts += [f'<p><img src="overview.png" alt="{html.escape(text)}"/></p>' for text in addition.at("alt_text")]
    return "\n".join(parts)


def render_html(addition: Addition) -> bytes:
    """A page of an intranet."""
    title, summary = html.escape(addition.title), html.escape(addition.hidden.get("metadata", ""))
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f'<meta name="description" content="{summary}">\n</head>\n<body>\n<main>\n{_markup(addition)}\n</main>\n'
        "<footer>Intranet</footer>\n</body>\n</html>\n"
    ).encode()


def render_pdf(addition: Addition) -> bytes:
    """A page in the standard fonts, which know Latin-1 only."""
    pdf = FPDF(format="A4")
    pdf.set_creation_date(DATE.replace(tzinfo=UTC))
    pdf.set_title(addition.title)
    pdf.set_keywords(addition.hidden.get("metadata", ""))
    pdf.add_page()
    pieces = [(addition.title, 16.0, 0), *((text, 11.0, 0) for text in addition.paragraphs)]
    pieces += [(text, 6.5, 90) for text in addition.at("footnote")]
    pieces += [(text, 6.0, 255) for text in addition.at("white_text")]
    for text, size, grey in pieces:
        pdf.set_font("Times", size=size)
        pdf.set_text_color(grey)
        pdf.multi_cell(0, size / 2, text, align="L", new_x="LMARGIN", new_y="NEXT")
        pdf.ln(3)
    return bytes(pdf.output())


def _describe(core: Any, addition: Addition) -> None:
    core.title, core.author, core.last_modified_by = addition.title, AUTHOR, AUTHOR
    core.comments, core.created, core.modified = addition.hidden.get("metadata", ""), DATE, DATE


def render_docx(addition: Addition) -> bytes:
    """A Word document in its own styles."""
    document = docx.Document()
    _describe(document.core_properties, addition)
    document.add_heading(addition.title, 0)
    for text in addition.flow():
        document.add_paragraph(text)
    for text in addition.at("white_text"):
        run = document.add_paragraph().add_run(text)
        run.font.color.rgb, run.font.size = RGBColor(255, 255, 255), Pt(1)
    for text in addition.at("alt_text"):
        document.add_picture(io.BytesIO(PIXEL))
        document.inline_shapes[-1]._inline.docPr.set("descr", text)
    for text in addition.at("footnote"):
        _add_footnote(document, text)
    document.sections[0].header.paragraphs[0].text = addition.hidden.get("header", "") or "Internal"
    return _saved(document.save)


def _add_footnote(document: Any, text: str) -> None:
    """A footnote to the last paragraph, the only one of the document; python-docx has no call for it."""
    note = f'<w:footnote w:id="2"><w:p><w:r><w:t>{html.escape(text)}</w:t></w:r></w:p></w:footnote>'
    blob = '<?xml version="1.0"?><w:footnotes xmlns:w="{}">{}</w:footnotes>'.format(nsmap["w"], note).encode()
    part = Part(PackURI("/word/footnotes.xml"), CONTENT_TYPE.WML_FOOTNOTES, blob, document.part.package)
    document.part.relate_to(part, RELATIONSHIP_TYPE.FOOTNOTES)
    mark = OxmlElement("w:footnoteReference")
    mark.set(qn("w:id"), "2")
    document.paragraphs[-1].add_run()._r.append(mark)


def render_pptx(addition: Addition) -> bytes:
    """Slides of two paragraphs each; what is hidden stands on the last one."""
    deck = pptx.Presentation()
    _describe(deck.core_properties, addition)
    flow = addition.flow()
    for at in range(0, len(flow), 2):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = addition.title if at == 0 else f"{addition.title} ({at // 2 + 1})"
        slide.placeholders[1].text = "\n".join(flow[at : at + 2])
    if notes := addition.hidden.get("speaker_notes", ""):
        slide.notes_slide.notes_text_frame.text = notes
    for text in addition.at("white_text"):
        run = slide.placeholders[1].text_frame.add_paragraph().add_run()
        run.text, run.font.color.rgb = text, SlideColor(255, 255, 255)
    return _saved(deck.save)


def render_xlsx(addition: Addition) -> bytes:
    """A sheet of topics and notes."""
    with xlsxwriter.Workbook(written := io.BytesIO(), {"in_memory": True}) as book:
        book.set_properties({"title": addition.title, "author": AUTHOR, "created": DATE})
        sheet = book.add_worksheet("Notes")
        for row, cells in enumerate([("Topic", "Note"), *addition.rows()]):
            sheet.write_row(row, 0, cells)
        if text := addition.hidden.get("hidden_sheet"):
            hidden = book.add_worksheet("config")
            hidden.write(0, 0, text)
            hidden.hide()
    return _saved(lambda copy: copy.write(written.getvalue()))


def render_csv(addition: Addition) -> bytes:
    """A table of topics and notes."""
    csv.writer(written := io.StringIO(), lineterminator="\n").writerows([("Topic", "Note"), *addition.rows()])
    return written.getvalue().encode()


def render_eml(addition: Addition) -> bytes:
    """A message, as HTML where something is hidden in it or a paragraph is markup."""
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = "Platform notes <notes@example.com>", "all-ml@example.com"
    message["Subject"], message["Date"] = addition.title, DATE.replace(tzinfo=UTC)
    if note := addition.hidden.get("header", ""):
        message["X-Reader-Note"] = note
    if addition.hidden.keys() - {"header", "zero_width"} or any(text.startswith("<") for text in addition.paragraphs):
        message.set_content("This message is HTML.\n")
        message.add_alternative(f"<html><body>\n{_markup(addition)}\n</body></html>\n", subtype="html")
        message.set_boundary("=_assay_adversarial")
    else:
        message.set_content("\n\n".join(addition.flow()) + "\n")
    return message.as_bytes()


def render_epub(addition: Addition) -> bytes:
    """A book of one chapter."""
    title = html.escape(addition.title)
    members = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
        '<rootfiles><rootfile full-path="a.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
        "a.opf": '<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata xmlns:dc="http://purl.org/dc/'
        f'elements/1.1/"><dc:title>{title}</dc:title></metadata><manifest><item id="c1" href="chapter.xhtml" '
        'media-type="application/xhtml+xml"/></manifest><spine><itemref idref="c1"/></spine></package>',
        "chapter.xhtml": '<?xml version="1.0" encoding="utf-8"?>\n<html xmlns="http://www.w3.org/1999/xhtml"><head>'
        f"<title>{title}</title></head><body>\n{_markup(addition)}\n</body></html>",
    }
    return _zip((name, text.encode()) for name, text in members.items())


def _saved(save: Callable[[io.BytesIO], object]) -> bytes:
    """What an Office library saves, with every member dated DATE."""
    save(written := io.BytesIO())
    with zipfile.ZipFile(written) as archive:
        return _zip((name, archive.read(name)) for name in archive.namelist())


def _zip(members: Iterable[tuple[str, bytes]]) -> bytes:
    with zipfile.ZipFile(written := io.BytesIO(), "w") as new:
        for name, data in members:
            info = zipfile.ZipInfo(name, DATE.timetuple()[:6])
            new.writestr(info, data, zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED)
    return written.getvalue()


# How each format is rendered, and where something can be hidden in it.
_HTML = "html_comment white_text alt_text zero_width"
FORMATS: Mapping[str, tuple[Callable[[Addition], bytes], str]] = {
    ".md": (render_md, "html_comment alt_text zero_width"),
    ".txt": (render_txt, "zero_width"),
    ".html": (render_html, f"{_HTML} metadata"),
    ".pdf": (render_pdf, "metadata white_text footnote"),
    ".docx": (render_docx, "metadata header white_text alt_text footnote zero_width"),
    ".pptx": (render_pptx, "metadata speaker_notes white_text zero_width"),
    ".xlsx": (render_xlsx, "hidden_sheet zero_width"),
    ".csv": (render_csv, "zero_width"),
    ".eml": (render_eml, f"{_HTML} header"),
    ".epub": (render_epub, _HTML),
}


def main() -> int:
    """Render, or check; returns the exit status."""
    parser = argparse.ArgumentParser(description="Render the adversarial set's poisoned documents.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a rendered file is out of date")
    check = parser.parse_args().check
    folder = ADVERSARIAL / "additions"
    additions = read_additions(ADVERSARIAL / "sources" / "additions.yaml")
    rendered = {folder / item.uri: FORMATS[Path(item.uri).suffix][0](item) for item in additions}
    stale = [path for path in sorted(folder.rglob("*")) if path.is_file() and path not in rendered]
    for target, data in rendered.items():
        if check and not (target.is_file() and _text(target.read_bytes()) == _text(data)):
            stale.append(target)
        elif not check:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    for target in stale:
        print(f"out of date or left over: {target}", file=sys.stderr)
    return 1 if stale else 0


def _text(data: bytes) -> str:
    return parse_bytes(data, ParseLimits()).text


if __name__ == "__main__":
    sys.exit(main())
