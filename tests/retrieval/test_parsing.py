import struct
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval import parsing, sniff
from retrieval.config import ParseLimits
from retrieval.errors import ParseFailure
from retrieval.language import likeliest
from retrieval.parsing import PARSERS, parse_bytes
from retrieval.types import ReasonCode, Stage
from tests.retrieval import samples

LIMITS = ParseLimits()
SMALL = ParseLimits(max_inflated_bytes=20 << 20)
OFFICE = {"[Content_Types].xml": "<Types/>", "xl/workbook.xml": "<workbook/>"}
ZEROS = samples.deflated_zeros(64 << 20)


def failure(data: bytes, limits: ParseLimits = LIMITS) -> ParseFailure:
    with pytest.raises(ParseFailure) as caught:
        parse_bytes(data, limits)
    assert len(caught.value.detail) <= 300
    return caught.value


def test_every_type_has_a_parser_that_says_its_type() -> None:
    files = [samples.a_pdf(), samples.a_docx(), samples.a_pptx(), samples.a_workbook(), samples.a_book()]
    files += [samples.A_MAIL, samples.HTML.encode(), samples.MARKDOWN.encode(), b"a,b\n1,2\n3,4", b"Just some words."]
    assert [parse_bytes(data, LIMITS).media_type for data in files] == [sniff.media_type(data) for data in files]
    assert {sniff.media_type(data) for data in files} <= set(PARSERS)


@pytest.mark.parametrize(
    "data",
    [
        samples.zipped({**OFFICE, "xl/worksheets/sheet1.xml": bytes(32 << 20)}),
        samples.zipped({**OFFICE, "word/document.xml": bytes(11 << 20), "word/media/x": bytes(11 << 20)}),
        samples.pdf_with_stream(ZEROS),
        samples.pdf_with_stream(ZEROS, b"/Filter /FlateDecode /Subtype /Image"),
        samples.pdf_with_stream(zlib.compress(ZEROS)),
        samples.pdf_with_stream(zlib.compress(bytes(11 << 20))) * 2,
    ],
    ids=["xlsx", "sum of docx members", "pdf", "one pdf image", "two layers in pdf", "sum of pdf streams"],
)
def test_bombs(data: bytes) -> None:
    assert len(data) < 1 << 20
    assert failure(data, SMALL).code is ReasonCode.BOMB


def test_bomb_that_lies_about_its_size() -> None:
    data = bytearray(samples.zipped({"xl/a.xml": bytes(32 << 20), "[Content_Types].xml": "x"}))
    for magic, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        header = data.index(magic)
        assert struct.unpack_from("<I", data, header + at)[0] == 32 << 20
        struct.pack_into("<I", data, header + at, 10)
    assert failure(bytes(data), SMALL).code is ReasonCode.BOMB


def test_many_members_are_a_bomb() -> None:
    members = {f"xl/{number}": "" for number in range(20_001)}
    assert failure(samples.zipped({**OFFICE, **members}, zipfile.ZIP_STORED)).code is ReasonCode.BOMB


def test_images_of_a_pdf_do_not_add_up() -> None:
    image = samples.pdf_with_stream(zlib.compress(bytes(8 << 20)), b"/Filter /FlateDecode /Subtype /Image")
    assert failure(image * 4, SMALL).code is not ReasonCode.BOMB


def test_pdf_streams_that_stand_close_are_all_found() -> None:
    small = samples.pdf_with_stream(zlib.compress(b"x" * 100))
    assert failure(small * 50 + samples.pdf_with_stream(ZEROS), SMALL).code is ReasonCode.BOMB


def test_encrypted() -> None:
    assert failure(samples.a_pdf(password="secret")).code is ReasonCode.ENCRYPTED


@pytest.mark.parametrize(
    "data",
    [
        b"%PDF-1.7\nnothing that follows is a PDF",
        samples.a_docx()[:3000],
        samples.zipped({"[Content_Types].xml": "<x", "word/document.xml": "<broken"}),
        samples.zipped({"[Content_Types].xml": "<Types/>", "ppt/presentation.xml": "<p"}),
        samples.zipped({"mimetype": "application/epub+zip"}),
    ],
)
def test_corrupt(data: bytes) -> None:
    assert failure(data).code is ReasonCode.CORRUPT


@pytest.mark.parametrize("data", [samples.a_blank_pdf(), b"<html><body></body></html>", b"\n \n"])
def test_empty(data: bytes) -> None:
    assert failure(data).code is ReasonCode.EMPTY


def test_a_pdf_without_text_may_be_a_scan() -> None:
    assert "scanned" in failure(samples.a_blank_pdf()).detail


def test_too_large() -> None:
    on_disk = failure(b"word " * 10, ParseLimits(max_file_bytes=20))
    assert (on_disk.code, on_disk.stage) == (ReasonCode.TOO_LARGE, Stage.READ)
    assert failure(b"word " * 10, ParseLimits(max_text_chars=20)).code is ReasonCode.TOO_LARGE


def test_a_parser_that_breaks_means_corrupt_and_tells_nothing_of_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(data: bytes) -> None:
        raise KeyError(data.decode())

    monkeypatch.setattr(parsing, "PARSERS", {"text/plain": broken})
    found = failure(b"confidential words")
    assert found.code is ReasonCode.CORRUPT
    assert "KeyError" in found.detail and "confidential" not in found.detail


def test_memory_errors_are_left_to_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    def hungry(data: bytes) -> None:
        raise MemoryError

    monkeypatch.setattr(parsing, "PARSERS", {"text/plain": hungry})
    with pytest.raises(MemoryError):
        parse_bytes(b"some words", LIMITS)


def test_language() -> None:
    german = parse_bytes("Die Ente ist ein Vogel, der auf vielen Seen und Flüssen schwimmt.".encode(), LIMITS)
    assert german.language == "de"
    assert likeliest("Only a few letters here") == ""
    assert likeliest("12 34 " * 50) == ""


@given(st.binary(max_size=300), st.sampled_from([b"", b"%PDF-1.4\n", b"PK\x03\x04", b"<html>", b"From: a\nTo: b\n"]))
def test_any_bytes_give_text_or_a_reason(data: bytes, start: bytes) -> None:
    try:
        parsed = parse_bytes(start + data, LIMITS)
    except ParseFailure:
        return
    assert parsed.text
