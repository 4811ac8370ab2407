"""From the bytes of a file to its canonical text: detect, check for bombs, parse, bound."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from retrieval import sniff
from retrieval.config import ParseLimits
from retrieval.errors import ParseFailure
from retrieval.inflate import check_pdf, check_zip
from retrieval.language import likeliest
from retrieval.parsers import csv, docx, eml, epub, html, markdown, pdf, pptx, spreadsheet, text
from retrieval.types import ParsedText, ReasonCode, Stage

PARSER = "assay-parsers/1"
"""Part of every snapshot id. Change it whenever the same bytes would make another canonical text."""

PARSERS: Mapping[str, Callable[[bytes], ParsedText]] = {
    sniff.PDF: pdf.parse,
    docx.MEDIA_TYPE: docx.parse,
    pptx.MEDIA_TYPE: pptx.parse,
    spreadsheet.XLSX: spreadsheet.parse_xlsx,
    spreadsheet.XLS: spreadsheet.parse_xls,
    spreadsheet.ODS: spreadsheet.parse_ods,
    html.MEDIA_TYPE: html.parse,
    markdown.MEDIA_TYPE: markdown.parse,
    csv.MEDIA_TYPE: csv.parse,
    eml.MEDIA_TYPE: eml.parse,
    epub.MEDIA_TYPE: epub.parse,
    text.MEDIA_TYPE: text.parse,
}


def parse_bytes(data: bytes, limits: ParseLimits) -> ParsedText:
    """Parse the content of one file.

    Raises:
        ParseFailure: the file cannot become a document; the code says why. No other exception leaves here but
            MemoryError, which the worker turns into OUT_OF_MEMORY.
    """
    if len(data) > limits.max_file_bytes:
        raise ParseFailure(ReasonCode.TOO_LARGE, f"more than {limits.max_file_bytes:,} bytes", Stage.READ)
    media_type = sniff.media_type(data)
    try:
        if media_type == sniff.PDF:
            check_pdf(data, limits.max_inflated_bytes)
        elif data.startswith(b"PK"):
            check_zip(data, limits.max_inflated_bytes)
        parsed = PARSERS[media_type](data)
    except (ParseFailure, MemoryError):
        raise
    except Exception as error:  # a third-party parser may raise anything on a damaged file
        detail = f"the {media_type} parser failed: {type(error).__name__}"
        raise ParseFailure(ReasonCode.CORRUPT, detail[:300]) from error
    if not parsed.text:
        raise ParseFailure(ReasonCode.EMPTY, "there is no text in it")
    if len(parsed.text) > limits.max_text_chars:
        raise ParseFailure(ReasonCode.TOO_LARGE, f"more than {limits.max_text_chars:,} characters of text")
    return replace(parsed, language=likeliest(parsed.text))
