"""Spreadsheets (XLSX, XLSM, XLSB, XLS, ODS): a sheet is a page."""

import datetime
import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from retrieval.canonical import CanonicalText
from retrieval.errors import ParseFailure
from retrieval.parsers.ooxml import core_title
from retrieval.parsers.rows import MAX_CELLS, write_rows
from retrieval.types import ParsedText, ReasonCode

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XLS = "application/vnd.ms-excel"
ODS = "application/vnd.oasis.opendocument.spreadsheet"

_DEFAULT_NAME = re.compile(r"sheet\s*\d*|tabelle\s*\d*|feuil\s*\d*|hoja\s*\d*|foglio\s*\d*", re.IGNORECASE)


def parse_xlsx(data: bytes) -> ParsedText:
    """Parse an Office Open XML workbook."""
    return _parse(data, XLSX, core_title(data))


def parse_xls(data: bytes) -> ParsedText:
    """Parse a BIFF workbook (Excel 97-2003)."""
    return _parse(data, XLS)


def parse_ods(data: bytes) -> ParsedText:
    """Parse an OpenDocument spreadsheet."""
    return _parse(data, ODS)


def _parse(data: bytes, media_type: str, title: str = "") -> ParsedText:
    from python_calamine import CalamineWorkbook, PasswordError, SheetVisibleEnum

    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
    except PasswordError as error:
        raise ParseFailure(ReasonCode.ENCRYPTED, "the workbook is protected by a password") from error
    out = CanonicalText()
    cells = 0
    with workbook:
        for meta in workbook.sheets_metadata:
            if meta.visible != SheetVisibleEnum.Visible:  # a reader does not see it
                continue
            sheet = workbook.get_sheet_by_name(meta.name)
            cells += sheet.height * sheet.width
            if cells > MAX_CELLS:
                raise ParseFailure(ReasonCode.TOO_LARGE, f"more than {MAX_CELLS:,} cells")
            if sheet.height:
                out.begin_page(meta.name)
                if not _DEFAULT_NAME.fullmatch(meta.name):
                    out.heading(1, meta.name)
                write_rows(_rows(sheet), out)
    return out.build(media_type, title)


def _rows(sheet: "CalamineSheet") -> Iterator[list[str]]:
    for row in sheet.iter_rows():
        yield [_shown(cell) for cell in row]


def _shown(cell: object) -> str:
    """Render a cell about as a spreadsheet shows it: 3 rather than 3.0, dates as ISO 8601."""
    if isinstance(cell, float):
        return f"{cell:.15g}"
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        return cell.date().isoformat()
    if isinstance(cell, datetime.datetime):
        return cell.isoformat(sep=" ")
    return str(cell)
