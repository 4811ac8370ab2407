"""CSV and its kin with semicolons, tabs or bars."""

import csv
import re

from retrieval.canonical import CanonicalText
from retrieval.decoding import decode
from retrieval.errors import ParseFailure
from retrieval.parsers.rows import write_rows
from retrieval.types import ParsedText, ReasonCode

MEDIA_TYPE = "text/csv"

_SAMPLE_CHARS = 65_536
_SAMPLE_ROWS = 200
_MAX_FIELD_CHARS = 1_000_000


def parse(data: bytes) -> ParsedText:
    """Parse a CSV file."""
    text = decode(data)
    if text is None:
        raise ParseFailure(ReasonCode.CORRUPT, "the file is in no known text encoding")
    csv.field_size_limit(_MAX_FIELD_CHARS)
    out = CanonicalText()
    lines = text.splitlines(keepends=True)
    write_rows(csv.reader(lines, delimiter=find_delimiter(text) or ","), out)
    return out.build(MEDIA_TYPE)


def find_delimiter(text: str) -> str | None:
    """Return the delimiter that cuts nearly all rows into the same number of cells, or None if none does."""
    lines = text[:_SAMPLE_CHARS].splitlines(keepends=True)
    if len(text) > _SAMPLE_CHARS:
        lines = lines[:-1]
    best: tuple[float, str] | None = None
    for delimiter in ",;\t|":
        share = _consistency(lines, delimiter)
        if share and (best is None or share > best[0]):
            best = (share, delimiter)
    return best[1] if best else None


def _consistency(lines: list[str], delimiter: str) -> float:
    """Return the share of rows that have the usual number of cells, or 0 if the text does not look like a table."""
    try:
        rows = [row for row in csv.reader(lines, delimiter=delimiter, strict=True) if row][:_SAMPLE_ROWS]
    except csv.Error:
        return 0.0
    widths = [len(row) for row in rows]
    if len(rows) < 2:
        return 0.0
    usual = max(set(widths), key=widths.count)
    share = widths.count(usual) / len(widths)
    if usual < 2 or share < 0.75 or (len(rows) == 2 and (share < 1 or usual < 3)):
        return 0.0
    # In prose a space follows each comma; a table with such commas has more columns than prose has clauses.
    cells = [cell for row in rows for cell in row[1:]]
    spaced = sum(cell.startswith(" ") for cell in cells) / len(cells)
    if delimiter in ",;" and spaced > 0.5 and (usual < 4 or share < 1 or len(rows) < 4):
        return 0.0
    if delimiter == "|" and re.search(r"^\s*\|\s*:?-+:?\s*\||^\s*:?-{3,}:?\s*\|", "".join(lines[:5]), re.MULTILINE):
        return 0.0  # a Markdown table
    return share
