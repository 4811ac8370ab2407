"""Rows of a sheet or a CSV file to lines of text."""

import re
from collections.abc import Iterable, Sequence

from retrieval.canonical import CanonicalText, one_line
from retrieval.errors import ParseFailure
from retrieval.types import ReasonCode

MAX_CELLS = 5_000_000

_NOT_A_NAME = re.compile(r"[\s\d.,:/%()+\-€$£¥]*|.*:")  # numbers, dates, and the labels of a form


def write_rows(rows: Iterable[Sequence[str]], out: CanonicalText) -> None:
    """Write rows of cells: each region between empty rows is a block, each row a line of it.

    Raises:
        ParseFailure: TOO_LARGE with more than MAX_CELLS cells.
    """
    region: list[list[str]] = []
    cells = 0
    for row in rows:
        cells += len(row)
        if cells > MAX_CELLS:
            raise ParseFailure(ReasonCode.TOO_LARGE, f"more than {MAX_CELLS:,} cells")
        cleaned = [one_line(cell) for cell in row]
        if any(cleaned):
            region.append(cleaned)
        elif region:
            _write_region(region, out)
            region = []
    if region:
        _write_region(region, out)


def _write_region(rows: list[list[str]], out: CanonicalText) -> None:
    at = _header_at(rows)
    if at is None:
        out.block("\n".join(_bare(row) for row in rows))
        return
    lines = [_bare(row) for row in rows[:at]]
    header = rows[at]
    lines += [_labelled(header, row) for row in rows[at + 1 :]]
    out.block("\n".join(lines))


def _header_at(rows: list[list[str]]) -> int | None:
    """Return the index of the header row: the first wide one, if all its cells name columns.

    One unnamed column is allowed in a wide table (row labels); lines above a header are titles.
    """
    widest = max(sum(map(bool, row)) for row in rows)
    for index, row in enumerate(rows[:5]):
        names = [cell for cell in row if cell]
        if len(names) >= max(2, widest - 1 if widest > 3 else widest):
            is_header = len(set(names)) == len(names) and not any(map(_NOT_A_NAME.fullmatch, names))
            return index if is_header and index + 1 < len(rows) else None
    return None


def _bare(row: list[str]) -> str:
    return " | ".join(cell for cell in row if cell)


def _labelled(header: list[str], row: list[str]) -> str:
    names = header + [""] * (len(row) - len(header))
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in zip(names, row, strict=False) if cell)
