import zipfile
from collections.abc import Callable

import pytest

from retrieval.errors import ParseFailure
from retrieval.parsers import csv, docx, eml, epub, html, markdown, pptx, spreadsheet, text
from retrieval.sniff import PDF, media_type
from retrieval.types import ReasonCode, Stage
from tests.retrieval import samples

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
PROSE = "It was a dark night, and nobody came.\nThe wind, it blew.\nA dog, far away, barked, then slept.\n"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (samples.a_pdf, PDF),
        (lambda: b"\n\njunk before\n" + samples.a_pdf(), PDF),
        (samples.a_docx, docx.MEDIA_TYPE),
        (samples.a_pptx, pptx.MEDIA_TYPE),
        (samples.a_workbook, spreadsheet.XLSX),
        (samples.a_book, epub.MEDIA_TYPE),
        (lambda: samples.A_MAIL, eml.MEDIA_TYPE),
        (samples.HTML.encode(), html.MEDIA_TYPE),
        (samples.HTML.encode("utf-16"), html.MEDIA_TYPE),
        (b"<?xml version='1.0'?>\n<!DOCTYPE html PUBLIC>\n<html xmlns='x'><body/></html>", html.MEDIA_TYPE),
        (b"<!-- note --><table><tr><td>1</td></tr></table>", html.MEDIA_TYPE),
        (samples.MARKDOWN.encode(), markdown.MEDIA_TYPE),
        (b"# Title\n\nOne paragraph.\n", markdown.MEDIA_TYPE),
        (b"<p align='center'>logo</p>\n\n# Project\n\nText with a [link](x).\n", markdown.MEDIA_TYPE),
        (b"| a | b |\n| - | - |\n| 1 | 2 |\n", markdown.MEDIA_TYPE),
        (b"a,b,c\n1,\"x, y\n z\",3\n4,5,6\n", csv.MEDIA_TYPE),
        (b"a;b\n1;2\n3;4\n", csv.MEDIA_TYPE),
        (b"a\tb\n1\t2\n3\t4\n", csv.MEDIA_TYPE),
        (PROSE.encode(), text.MEDIA_TYPE),
        ("Grüße aus Köln. Es wäre schön, dich zu hören.".encode("cp1252"), text.MEDIA_TYPE),
        (b'{"a": 1, "b": 2}\n{"a": 3, "b": 4}\n{"a": 5, "b": 6}\n', text.MEDIA_TYPE),
        (b"WEBVTT\n\n00:01.000 --> 00:02.000\n- Hello\n", text.MEDIA_TYPE),
        (b"# a comment of a shell script\nx=1\ny=2\n", text.MEDIA_TYPE),
        ((OLE + "Workbook".encode("utf-16-le")), spreadsheet.XLS),
    ],
)  # fmt: skip
def test_type_comes_from_content(content: bytes | Callable[[], bytes], expected: str) -> None:
    assert media_type(content() if callable(content) else content) == expected


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", ReasonCode.EMPTY),
        (b" \n\0", ReasonCode.EMPTY),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), ReasonCode.UNSUPPORTED),
        (bytes(range(256)) * 8, ReasonCode.UNSUPPORTED),
        (b"{\\rtf1 hello}", ReasonCode.UNSUPPORTED),
        (samples.zipped({"a.txt": "x"}), ReasonCode.UNSUPPORTED),
        (samples.zipped({"mimetype": "application/vnd.oasis.opendocument.text"}), ReasonCode.UNSUPPORTED),
        (samples.a_docx()[:-200], ReasonCode.CORRUPT),
        (OLE + "EncryptedPackage".encode("utf-16-le"), ReasonCode.ENCRYPTED),
        (OLE + "WordDocument".encode("utf-16-le") + "Workbook".encode("utf-16-le"), ReasonCode.UNSUPPORTED),
        (OLE, ReasonCode.UNSUPPORTED),
    ],
)
def test_what_cannot_be_parsed_says_why(data: bytes, code: ReasonCode) -> None:
    with pytest.raises(ParseFailure) as caught:
        media_type(data)
    assert (caught.value.code, caught.value.stage) == (code, Stage.DETECT)
    assert len(caught.value.detail) <= 300


def test_encrypted_member() -> None:
    data = bytearray(samples.zipped({"[Content_Types].xml": "x", "word/document.xml": "y"}, zipfile.ZIP_STORED))
    at = data.rindex(b"PK\x01\x02")
    data[at + 8] |= 1
    with pytest.raises(ParseFailure) as caught:
        media_type(bytes(data))
    assert caught.value.code is ReasonCode.ENCRYPTED


def test_unsupported_names_the_guess_and_the_supported() -> None:
    with pytest.raises(ParseFailure, match=r"JPEG.*supported are PDF, DOCX"):
        media_type(b"\xff\xd8\xff" + bytes(40))
