"""The canonical text of a document: the one text that all offsets point into."""

import re

from retrieval.types import PageSpan, ParsedText, Section

# LF is written out last; form feed, vertical tab, NEL and the Unicode separators break lines too.
_LINE_BREAKS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
# C0 and C1 controls but tab and LF, the byte order mark, and surrogates, which no encoding can write.
_UNWANTED = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff]")
_TALL_GAP = re.compile(r"\n{3,}")
_SEPARATOR = "\n\n"


def clean(text: str) -> str:
    """Return `text` in canonical form, without blank lines at either end; "" if nothing visible is left."""
    text = _UNWANTED.sub("", _LINE_BREAKS.sub("\n", text))
    text = "\n".join(line.rstrip() for line in text.split("\n"))
    return _TALL_GAP.sub(_SEPARATOR, text).strip("\n")


def one_line(text: str) -> str:
    """Return the cleaned text as one line, every run of whitespace one space."""
    return " ".join(clean(text).split())


class CanonicalText:
    """Builds the canonical text block by block and records where headings and pages stand.

    Characters keep their form (no Unicode normalisation: it would change what a formula or a code says).
    """

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._length = 0
        self._sections: list[Section] = []
        self._pages: list[PageSpan] = []
        self._page_label: str | None = None
        self._page_start: int | None = None

    @property
    def length(self) -> int:
        """Code points written so far."""
        return self._length

    def block(self, text: str) -> None:
        """Append a block. Lines inside it are kept; a block without text is left out."""
        self._append(clean(text))

    def heading(self, level: int, text: str) -> None:
        """Append a heading as a block of one line. `level` 1 is the top."""
        title = one_line(text)
        if title:
            start = self._append(title)
            self._sections.append(Section(start, max(1, level), title))

    def begin_page(self, label: str) -> None:
        """Begin a page; the one before ends here. A page that gets no text leaves no span."""
        self.end_page()
        self._page_label = one_line(label)

    def end_page(self) -> None:
        """End the open page, if there is one."""
        if self._page_label is not None and self._page_start is not None:
            self._pages.append(PageSpan(self._page_start, self._length, self._page_label))
        self._page_label = self._page_start = None

    def build(self, media_type: str, title: str = "") -> ParsedText:
        """Return the parsed text. Without a title of its own the document takes its first top heading."""
        self.end_page()
        top = next((section.title for section in self._sections if section.level == 1), "")
        return ParsedText(
            text=_SEPARATOR.join(self._blocks),
            media_type=media_type,
            title=one_line(title) or top,
            sections=tuple(self._sections),
            pages=tuple(self._pages),
        )

    def _append(self, text: str) -> int:
        start = self._length + len(_SEPARATOR) if self._blocks else 0
        if text:
            self._blocks.append(text)
            self._length = start + len(text)
            if self._page_start is None:
                self._page_start = start
        return start
