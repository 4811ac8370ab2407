"""The lines of a PDF page with their place and size, read from pdfium, and without running headers and footers."""

import ctypes
import math
import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from retrieval.canonical import clean

_LIGATURES = str.maketrans(
    {"\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl", "\ufb05": "st", "\ufb06": "st",
     "\ufffe": None, "\uffff": None, "\u00ad": "-"}
)  # fmt: skip
_HYPHEN = "\x02"  # what pdfium makes of a hyphen at the end of a line, and of glyphs it cannot name
_BOLD_FONT = re.compile(rb"bold|black|heavy|demi|cmbx|-medi", re.IGNORECASE)
_LEADERS = re.compile(r"(?:\s?[.\u2026\u00b7]){4,}\s*")
_WIDE_GAP = 1.5  # times the size; the widest space in justified text is narrower
_PAGE_NUMBER = re.compile(
    r"\W*(?:(?:page|seite|pagina|p\.|s\.)\s*)?(?:\d{1,4}|[ivxlc]{1,7})(?:\s*(?:/|of|von|de)\s*\d{1,4})?\W*",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\d+")
_EDGE_LINES = 3  # lines at the top and at the bottom of a page that may be running headers and footers
_EDGE_SHARE = 0.1  # of the page height: running headers and footers stand there
_NUMBER_SHARE = 0.15  # of the page height: a number there, with nothing beyond it, is the page's


@dataclass(slots=True)
class Line:
    """A line as it stands on the page. Coordinates in points, y upwards from the bottom."""

    text: str
    left: float
    right: float
    y: float
    size: float
    bold: bool = False
    tabular: bool = False  # wide gaps inside, or the dots of a table of contents
    hyphenated: bool = False  # pdfium took the hyphen at its end for a mere line break
    level: int = 0  # of the heading that it is, by the outline


@dataclass(slots=True)
class Page:
    """The lines of one page in reading order."""

    number: int
    height: float
    lines: list[Line]


def read_page(page: Any, number: int) -> Page:
    """Read the lines of a pypdfium2 page."""
    textpage = page.get_textpage()
    try:
        reader = _LineReader(textpage)
        lines = reader.lines()
    finally:
        textpage.close()
    return Page(number, float(page.get_height()), _merge_rows(lines))


def without_furniture(pages: list[Page]) -> None:
    """Drop page numbers, and lines that stand at the same edge of most pages."""
    seen: Counter[tuple[str, int]] = Counter()
    edges = [_edge_lines(page) for page in pages]
    for page_edges in edges:
        seen.update({key for _, key in page_edges})
    often = max(3, math.ceil(0.4 * len(pages)))
    for page, page_edges in zip(pages, edges, strict=True):
        repeated = {id(line) for line, key in page_edges if _count_near(seen, key) >= often}
        numbers = {id(line) for line in _outermost(page) if _PAGE_NUMBER.fullmatch(line.text)}
        page.lines = [line for line in page.lines if id(line) not in repeated and id(line) not in numbers]


def _count_near(seen: Counter[tuple[str, int]], key: tuple[str, int]) -> int:
    text, y = key
    return sum(seen[text, near] for near in (y - 1, y, y + 1))


def _edge_lines(page: Page) -> list[tuple[Line, tuple[str, int]]]:
    margin = _EDGE_SHARE * page.height
    ordered = sorted(page.lines, key=lambda line: line.y)
    edge = ordered[:_EDGE_LINES] + ordered[_EDGE_LINES:][-_EDGE_LINES:]
    return [
        (line, (_DIGITS.sub("#", "".join(line.text.casefold().split())), round(line.y / 4)))
        for line in edge
        if not margin < line.y < page.height - margin
    ]


def _outermost(page: Page) -> list[Line]:
    if not page.lines:
        return []
    margin = _NUMBER_SHARE * page.height
    ends = (min(page.lines, key=lambda line: line.y), max(page.lines, key=lambda line: line.y))
    return [line for line in ends if not margin < line.y < page.height - margin]


def _merge_rows(lines: list[Line]) -> list[Line]:
    """Join pieces that follow each other on one baseline: the cells of a row."""
    merged: list[Line] = []
    for line in lines:
        last = merged[-1] if merged else None
        if last is not None and abs(last.y - line.y) < 0.4 * line.size and line.left >= last.right - 0.1 * line.size:
            width = line.left - last.right
            gap = " " if width > 0.15 * line.size and not last.hyphenated else ""
            last.text = f"{last.text}{gap}{line.text}"
            last.tabular = last.tabular or line.tabular or width > _WIDE_GAP * line.size
            last.bold = last.bold and line.bold
            last.right, last.hyphenated = line.right, line.hyphenated
        else:
            merged.append(line)
    return merged


class _LineReader:
    """Cuts pdfium's characters into lines. Few calls per line: a call for each character's box would be slow."""

    def __init__(self, textpage: Any) -> None:
        import pypdfium2.raw as pdfium

        self._pdfium = pdfium
        self._raw = textpage.raw
        self._codes = [pdfium.FPDFText_GetUnicode(self._raw, index) for index in range(textpage.count_chars())]
        self._box = pdfium.FS_RECTF()
        self._matrix = pdfium.FS_MATRIX()
        self._x, self._y = ctypes.c_double(), ctypes.c_double()
        self._font, self._flags = ctypes.create_string_buffer(128), ctypes.c_int()

    def lines(self) -> list[Line]:
        found: list[Line] = []
        start = 0
        for index, code in enumerate(self._codes):
            hyphen = code == 2 and start < index and chr(self._codes[index - 1]).isalpha()
            if code in (10, 13) or hyphen:
                self._add(found, start, index, hyphen)
                start = index + 1
        self._add(found, start, len(self._codes), False)
        return found

    def _add(self, found: list[Line], start: int, end: int, hyphenated: bool) -> None:
        raw = "".join(map(chr, self._codes[start:end]))
        visible = [start + at for at, character in enumerate(raw) if not character.isspace()]
        if raw.lstrip().startswith(f"{_HYPHEN} "):
            raw = raw.replace(_HYPHEN, "\u2022", 1)
        if any("\ud800" <= character <= "\udfff" for character in raw):  # UTF-16 halves
            raw = raw.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
        text = " ".join(clean(raw.translate(_LIGATURES)).split())
        if not text:
            return
        first, last = self._horizontal(visible[0]), self._horizontal(visible[-1])
        self._pdfium.FPDFText_GetCharOrigin(self._raw, visible[0], self._x, self._y)
        sampled = [visible[at] for at in (0, len(visible) // 2, -1)]
        size = sorted(map(self._size, sampled))[1] or 1.0
        found.append(
            Line(
                text=_LEADERS.sub(" ... ", text),
                left=min(first[0], last[0]),
                right=max(first[1], last[1]),
                y=self._y.value,
                size=size,
                bold=all(map(self._is_bold, sampled)),
                tabular=_LEADERS.search(text) is not None or self._has_wide_gap(visible, size),
                hyphenated=hyphenated,
            )
        )

    def _has_wide_gap(self, visible: list[int], size: float) -> bool:
        for before, after in pairwise(visible):
            if after - before > 1:
                gap = self._horizontal(after)[0] - self._horizontal(before)[1]
                if gap > _WIDE_GAP * size:
                    return True
        return False

    def _is_bold(self, index: int) -> bool:
        self._pdfium.FPDFText_GetFontInfo(self._raw, index, self._font, len(self._font), self._flags)
        return _BOLD_FONT.search(self._font.value) is not None

    def _horizontal(self, index: int) -> tuple[float, float]:
        self._pdfium.FPDFText_GetLooseCharBox(self._raw, index, self._box)
        return self._box.left, self._box.right

    def _size(self, index: int) -> float:
        """The size that a character has on the page: the font's, scaled by the text matrix."""
        self._pdfium.FPDFText_GetMatrix(self._raw, index, self._matrix)
        scale = math.hypot(self._matrix.c, self._matrix.d) or 1.0
        return round(float(self._pdfium.FPDFText_GetFontSize(self._raw, index)) * scale, 2)
