"""HTML to canonical text: the block walker that HTML, Markdown, DOCX, EPUB and e-mail share."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from retrieval.canonical import CanonicalText

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_LISTS = frozenset({"ul", "ol", "menu", "dir"})
_LAYOUT_SIGNS = HEADINGS | {"table", "pre"}
_GROUPS = _LISTS | {"dl", "table"}
_CONTAINERS = (
    "address article aside blockquote body caption center dd details dialog div dt fieldset figcaption figure footer "
    "form header hgroup hr legend li main nav p pre section summary tbody td tfoot th thead title tr"
)
_BLOCKS = HEADINGS | _GROUPS | frozenset(_CONTAINERS.split())
# Nothing that a reader sees as text, plus the permalink marks that site generators hang on headings.
_DROPPED = (
    "head, script, style, template, noscript, svg, select, button, textarea, iframe, object, audio, video, canvas, "
    'datalist, annotation, annotation-xml, rp, [hidden], [aria-hidden="true"], '
    "a.headerlink, a.hash-link, a.anchorjs-link, .mw-editsection"
)
_INVISIBLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_SPACE = re.compile(r"\s+")
_INVISIBLE_MARKS = {0x00AD: None, 0x200B: None}  # where a word may be broken: soft hyphen, zero-width space
_MAX_SPAN = 1000  # rows or columns of a cell, as HTML has it
_MAX_INDENT = 8  # levels; deeper lists are not indented further, so that nesting cannot blow up the text
_VOID = "area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr"
_SELF_CLOSED = re.compile(rf"<(?!(?:{_VOID})\b)([a-zA-Z][\w:-]*)((?:\s[^<>]*)?)/>")


def tree(html: str) -> "LexborHTMLParser":
    """Parse `html` and take out what is not shown. XHTML's `<p/>` is understood as XML means it."""
    from selectolax.lexbor import LexborHTMLParser

    if html.lstrip()[:5] == "<?xml":
        html = _SELF_CLOSED.sub(r"<\1\2></\1>", html)
    return LexborHTMLParser(html)


def visible(parser: "LexborHTMLParser") -> "LexborNode | None":
    """Return the body with everything that is hidden from readers removed."""
    remove(parser.css(_DROPPED))
    remove([node for node in parser.css("[style]") if _INVISIBLE.search(node.attributes.get("style") or "")])
    return parser.body


def remove(nodes: "list[LexborNode]") -> None:
    """Remove elements, given in document order, with all that is in them."""
    for node in reversed(nodes):  # inner ones first: removing the outer one frees them
        if node.tag not in ("html", "body"):  # some pages hide these until their script runs
            node.decompose()


def walk_html(html: str, out: CanonicalText) -> None:
    """Write the visible blocks of an HTML document or fragment to `out`."""
    body = visible(tree(html))
    if body is not None:
        walk(body, out)


def walk(root: "LexborNode", out: CanonicalText) -> None:
    """Write the blocks below `root` to `out`, in document order and without recursion."""
    walker = _Walker(out, _layout_tables(root))
    for node, entering in _events(root):
        if not entering:
            walker.leave(node)
        elif node.is_text_node:
            walker.text(node.text_content or "")
        else:
            walker.enter(node)
    walker.end_group()


def _events(root: "LexborNode") -> Iterator[tuple["LexborNode", bool]]:
    """Yield every node below `root` twice, on entering and on leaving it."""
    node, depth = root.first_child, 1
    while node is not None:
        yield node, True
        child = node.first_child
        if child is not None:
            node, depth = child, depth + 1
            continue
        while node is not None:
            yield node, False
            following = node.next
            if following is not None:
                node = following
                break
            node, depth = node.parent, depth - 1
            if depth == 0:
                return


def _layout_tables(root: "LexborNode") -> set[int]:
    """Return the ids of tables that only place things: they hold a table, a heading or code."""
    layout: set[int] = set()
    open_tables: list[int] = []
    for node, entering in _events(root):
        tag = node.tag or ""
        if entering and open_tables and tag in _LAYOUT_SIGNS:
            layout.add(open_tables[-1])
        if tag == "table":
            if entering:
                open_tables.append(node.mem_id)
            else:
                open_tables.pop()
    return layout


class _Span(NamedTuple):
    """A cell that goes on in the rows below."""

    text: str
    width: int
    rows: int


def _span(node: "LexborNode", attribute: str) -> int:
    value = node.attributes.get(attribute) or "1"
    return min(max(1, int(value)), _MAX_SPAN) if value.isascii() and value.isdecimal() and len(value) < 6 else 1


class _Walker:
    """Collects inline text into lines, lines of a list or table into one block."""

    def __init__(self, out: CanonicalText, layout_tables: set[int]) -> None:
        self._out = out
        self._layout_tables = layout_tables
        self._inline: list[str] = []
        self._lines: list[str] = []
        self._groups: list[str] = []
        self._counters: list[int] = []
        self._marker = ""
        self._row: list[str] | None = None
        self._column = 0
        self._spans: dict[int, _Span] = {}
        self._in_cell = False
        self._heading = 0
        self._pre = 0

    def text(self, text: str) -> None:
        self._inline.append(text if self._pre else _SPACE.sub(" ", text.translate(_INVISIBLE_MARKS)))

    def enter(self, node: "LexborNode") -> None:
        tag = node.tag or ""
        if tag == "br":
            self._inline.append(" " if self._in_cell or self._heading else "\n")
        elif tag == "img":
            self._inline.append(f" {_SPACE.sub(' ', node.attributes.get('alt') or '')} ")
        elif tag == "input" and node.attributes.get("type") == "checkbox":
            self._inline.append("[x] " if "checked" in node.attributes else "[ ] ")
        elif tag in _BLOCKS:
            self._boundary()
            self._enter_block(tag, node)

    def leave(self, node: "LexborNode") -> None:
        tag = node.tag or ""
        if tag not in _BLOCKS:
            return
        if tag in HEADINGS and self._heading:
            self._out.heading(self._heading, "".join(self._inline))
            self._inline, self._heading = [], 0
        elif tag == "pre":
            self._end_line()
            self._pre = max(0, self._pre - 1)
        elif tag in ("td", "th") and self._row is not None:
            self._end_cell(self._row, node)
        elif tag == "tr" and self._row is not None:
            self._fill_from_above(self._row)
            if any(self._row):
                self._lines.append(" | ".join(self._row).rstrip(" |"))
            self._row = None
        else:
            self._boundary()
            self._leave_group(tag, node)

    def end_group(self) -> None:
        """Write what was collected as one block."""
        self._end_line()
        self._out.block("\n".join(self._lines))
        self._lines = []

    def _enter_block(self, tag: str, node: "LexborNode") -> None:
        in_rows = bool(self._groups) and self._groups[-1] == "table"
        if tag in HEADINGS and not self._in_cell:
            self.end_group()
            self._heading = int(tag[1])
        elif tag == "pre" and not self._in_cell:
            self._pre += 1
        elif tag in _GROUPS and not self._in_cell:
            if not self._groups:
                self.end_group()
            self._spans = {}
            self._groups.append("layout" if tag == "table" and node.mem_id in self._layout_tables else tag)
            if tag in _LISTS:
                start = node.attributes.get("start") or "1"
                self._counters.append(int(start) if start.isascii() and start.isdecimal() and len(start) < 9 else 1)
        elif tag == "li":
            self._marker = self._next_marker()
        elif tag == "dd":
            self._marker = "  "
        elif tag == "tr" and in_rows:
            self._row, self._column = [], 0
        elif tag in ("td", "th") and self._row is not None:
            self._in_cell = True

    def _leave_group(self, tag: str, node: "LexborNode") -> None:
        if tag not in _GROUPS or not self._groups or self._in_cell:
            return
        self._groups.pop()
        if tag in _LISTS and self._counters:
            self._counters.pop()
        if not self._groups:
            self.end_group()

    def _next_marker(self) -> str:
        indent = "  " * min(_MAX_INDENT, len(self._counters) - 1)
        if not self._counters or self._groups[-1] != "ol":
            return f"{indent}- "
        self._counters[-1] += 1
        return f"{indent}{self._counters[-1] - 1}. "

    def _end_cell(self, row: list[str], node: "LexborNode") -> None:
        self._fill_from_above(row)
        text = " ".join("".join(self._inline).split())
        self._inline, self._in_cell = [], False
        row.append(text)
        width, height = _span(node, "colspan"), _span(node, "rowspan")
        if height > 1:
            self._spans[self._column] = _Span(text, width, height - 1)
        self._column += width

    def _fill_from_above(self, row: list[str]) -> None:
        """Repeat cells that span rows: each row then says all by itself."""
        while (span := self._spans.pop(self._column, None)) is not None:
            row.append(span.text)
            if span.rows > 1:
                self._spans[self._column] = _Span(span.text, span.width, span.rows - 1)
            self._column += span.width

    def _boundary(self) -> None:
        """A block begins or ends: inside a cell or heading that is a space, else the end of the line."""
        if self._in_cell or self._heading:
            self._inline.append(" ")
        else:
            self._end_line()

    def _end_line(self) -> None:
        raw = "".join(self._inline)
        self._inline = []
        text = raw.strip("\n") if self._pre else "\n".join(" ".join(line.split()) for line in raw.split("\n")).strip()
        if not text.strip():
            return
        if self._groups and self._groups[-1] != "layout":
            indent = " " * len(self._marker) if self._marker.strip() else "  " * min(_MAX_INDENT, len(self._counters))
            lines = [line for line in text.split("\n") if line.strip()]
            first = self._marker or (indent if self._counters else "")
            self._lines += [f"{first if n == 0 else indent}{line}" for n, line in enumerate(lines)]
            self._marker = ""
        else:
            self._out.block(text)
