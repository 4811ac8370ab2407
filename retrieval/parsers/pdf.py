"""PDF: pages of reflowed paragraphs, with headings from the outline or from the size of the type."""

import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from retrieval.canonical import CanonicalText, one_line
from retrieval.errors import ParseFailure
from retrieval.parsers.pdf_lines import Line, Page, read_page, without_furniture
from retrieval.parsers.pdf_reflow import Run, paragraphs, runs_of, words_of
from retrieval.types import ParsedText, ReasonCode

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

MEDIA_TYPE = "application/pdf"

_HEADING_SIZE = 1.15  # times the size of the body
_MAX_HEADING_CHARS = 150
_MAX_HEADING_LINES = 3
_MAX_HEADING_SHARE = 0.35  # of all characters; above it, sizes mean something else (slides, posters)
_MAX_BOLD_SHARE = 0.3  # of all characters; above it, bold is the body
_MAX_LEVELS = 4
_MAX_OUTLINE = 5_000
_GENERIC = frozenset({"contents", "table of contents", "inhalt", "inhaltsverzeichnis", "abstract", "introduction"})
_NOT_ALNUM = re.compile(r"[\W_]+")
# What word processors and print drivers write into the title: file names, templates, nothing.
_BAD_TITLE = re.compile(
    r"microsoft \w+ - .*|\(?anonymous\)?|\(?unspecified\)?|untitled.*|no title|title|slide \d+|document\d*"
    r"|.*\.(?:docx?|dvi|tex|pdf|indd|rtf|odt|txt|pptx?|xlsx?|qxd|od[tps])",
    re.IGNORECASE,
)


def parse(data: bytes) -> ParsedText:
    """Parse a PDF file."""
    document = _open(data)
    try:
        pages = _read_pages(document)
        outline = _outline(document)
        metadata = one_line(document.get_metadata_value("Title"))
    finally:
        document.close()
    if not any(page.lines for page in pages):
        raise ParseFailure(ReasonCode.EMPTY, f"no text on {len(pages)} pages: it may be scanned images (needs OCR)")
    without_furniture(pages)
    known = words_of(pages)
    by_outline = _mark_outline(pages, outline)
    runs = [(page, runs_of(page)) for page in pages]
    if not by_outline:
        _mark_by_type([run for _, page_runs in runs for run in page_runs])
    out = CanonicalText()
    for page, page_runs in runs:
        out.begin_page(str(page.number))
        for run in page_runs:
            if run.level:
                out.heading(run.level, " ".join(paragraphs(run, known)))
            else:
                for paragraph in paragraphs(run, known):
                    out.block(paragraph)
    title = metadata if _is_sensible(metadata) else _largest(runs[0][1] if runs else [], known)
    return out.build(MEDIA_TYPE, title)


def _open(data: bytes) -> "PdfDocument":
    from pypdfium2 import PdfDocument, PdfiumError
    from pypdfium2.raw import FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY

    try:
        document = PdfDocument(data)
        if len(document):
            return document
    except PdfiumError as error:
        if error.err_code in (FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY):
            raise ParseFailure(ReasonCode.ENCRYPTED, "the PDF is protected by a password") from error
        raise ParseFailure(ReasonCode.CORRUPT, "the PDF cannot be opened: truncated or damaged") from error
    raise ParseFailure(ReasonCode.CORRUPT, "the PDF has no pages")


def _read_pages(document: "PdfDocument") -> list[Page]:
    from pypdfium2 import PdfiumError

    pages: list[Page] = []
    failed = 0
    for index in range(len(document)):
        try:
            page = document[index]
        except PdfiumError:
            failed += 1
            continue
        pages.append(read_page(page, index + 1))
        page.close()
    if failed and not any(page.lines for page in pages):
        raise ParseFailure(ReasonCode.CORRUPT, f"{failed} of {len(document)} pages cannot be loaded")
    return pages


def _outline(document: "PdfDocument") -> list[tuple[int, str, int]]:
    """Return (level, title, page number) of the outline's entries."""
    entries: list[tuple[int, str, int]] = []
    for bookmark in document.get_toc():
        destination: Any = bookmark.get_dest()
        index = destination.get_index() if destination is not None else None
        if index is not None:
            entries.append((bookmark.level + 1, _normalised(bookmark.get_title()), index + 1))
        if len(entries) >= _MAX_OUTLINE:
            break
    return [entry for entry in entries if entry[1]]


def _mark_outline(pages: list[Page], outline: list[tuple[int, str, int]]) -> bool:
    """Give lines the level of the outline entry that names them; return whether most entries were found."""
    by_number = {page.number: page for page in pages}
    found = 0
    for level, title, number in outline:
        page = by_number.get(number)
        lines = _find_title([line for line in page.lines if not line.level], title) if page is not None else []
        for line in lines:
            line.level = level
        found += bool(lines)
    if found and found * 2 >= len(outline):
        return True
    for page in pages:
        for line in page.lines:
            line.level = 0
    return False


def _find_title(lines: list[Line], title: str) -> list[Line]:
    """Return the line, or two lines, whose words are the title, a section number before it allowed."""
    for line in lines:
        if _is_title(_normalised(line.text), title):
            return [line]
    for first, second in pairwise(lines):
        if _is_title(_normalised(f"{first.text} {second.text}"), title):
            return [first, second]
    return []


def _is_title(text: str, title: str) -> bool:
    return text == title or (text.endswith(f" {title}") and len(text) - len(title) <= 10 and text[0].isdigit())


def _normalised(text: str) -> str:
    return _NOT_ALNUM.sub(" ", text).strip().casefold()


def _mark_by_type(runs: list[Run]) -> None:
    """Make short runs in larger type headings, the largest size at the top, and below them short runs in bold."""
    chars: Counter[float] = Counter()
    for run in runs:
        chars[round(run.size * 2) / 2] += _length([run])
    if not chars:
        return
    body = chars.most_common(1)[0][0]
    candidates = [run for run in runs if _may_be_heading(run)]
    large = [run for run in candidates if run.size >= _HEADING_SIZE * body]
    if _length(large) > _MAX_HEADING_SHARE * chars.total():
        return
    sizes = _heading_sizes(large)
    for run in large:
        run.level = 1 + sum(1 for size in sizes[1:] if run.size < 1.05 * size)
    in_bold = [run for run in candidates if not run.level and _is_bold_heading(run, body)]
    bold = _length([run for run in runs if run.lines[0].bold])
    if bold <= _MAX_BOLD_SHARE * chars.total():
        for run in in_bold:
            run.level = len(sizes) + 1


def _length(runs: list[Run]) -> int:
    return sum(len(line.text) for run in runs for line in run.lines)


def _heading_sizes(headings: list[Run]) -> list[float]:
    """Return the sizes that make levels, the largest first: the commonest ones, if there are many."""
    counts: Counter[float] = Counter()
    for run in sorted(headings, key=lambda run: -run.size):
        counts[next((size for size in counts if run.size > 0.95 * size), run.size)] += 1
    return sorted((size for size, _ in counts.most_common(_MAX_LEVELS)), reverse=True)


def _may_be_heading(run: Run) -> bool:
    text = " ".join(line.text for line in run.lines)
    letters = sum(map(str.isalpha, text))
    return (
        len(run.lines) <= _MAX_HEADING_LINES
        and not any(line.tabular and " ... " in line.text for line in run.lines)
        and letters >= 2
        and letters >= 0.5 * len(text.replace(" ", ""))
        and len(text) <= _MAX_HEADING_CHARS
        and not text.endswith((",", ";"))
    )


def _is_bold_heading(run: Run, body: float) -> bool:
    """Bold type alone is a weaker sign than size: it must stand alone, in one line, and be no sentence or label."""
    line = run.lines[0]
    return (
        line.bold
        and len(run.lines) == 1
        and run.size >= 0.95 * body
        and not line.tabular
        and not line.text.endswith((".", ":", "!", "?"))
        and line.text[:1].upper() == line.text[:1]
    )


def _is_sensible(title: str) -> bool:
    return sum(map(str.isalpha, title)) >= 3 and _BAD_TITLE.fullmatch(title) is None


def _largest(runs: list[Run], known: Counter[str]) -> str:
    """Return the text in the largest type on the first page, if it stands out."""
    if not runs:
        return ""
    sizes = [run.size for run in runs]
    candidates = [run for run in runs if _may_be_heading(run) and run.size >= _HEADING_SIZE * min(sizes)]
    candidates = [run for run in candidates if _normalised(run.lines[0].text) not in _GENERIC]
    if not candidates:
        return ""
    return " ".join(paragraphs(max(candidates, key=lambda run: run.size), known))
