"""EPUB: the chapters of the spine, in reading order."""

import io
import posixpath
import zipfile
from urllib.parse import unquote

from retrieval.canonical import CanonicalText, one_line
from retrieval.decoding import declared_charset, decode
from retrieval.errors import ParseFailure
from retrieval.parsers.blocks import tree, visible, walk
from retrieval.parsers.ooxml import read_xml
from retrieval.types import ParsedText, ReasonCode

MEDIA_TYPE = "application/epub+zip"

_CONTAINER = "{urn:oasis:names:tc:opendocument:xmlns:container}"
_OPF = "{http://www.idpf.org/2007/opf}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_ENC = "{http://www.w3.org/2001/04/xmlenc#}"


def parse(data: bytes) -> ParsedText:
    """Parse a book. A chapter is a page, labelled with its first heading or its number."""
    out = CanonicalText()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        title, chapters = _package(archive)
        encrypted = _encrypted(archive)
        for number, name in enumerate(chapters, start=1):
            if name in encrypted:
                raise ParseFailure(ReasonCode.ENCRYPTED, "the book is protected by digital rights management")
            if name in archive.NameToInfo:
                _write_chapter(archive.read(name), number, out)
    return out.build(MEDIA_TYPE, title)


def _write_chapter(data: bytes, number: int, out: CanonicalText) -> None:
    page = tree(decode(data, declared_charset(data)) or "")
    body = visible(page)
    if body is None:
        return
    heading = body.css_first("h1, h2, h3")
    label = one_line(heading.text(deep=True, separator=" ")) if heading is not None else ""
    out.begin_page(label or str(number))
    walk(body, out)


def _package(archive: zipfile.ZipFile) -> tuple[str, list[str]]:
    """Return the book's title and the member names of its chapters."""
    container = read_xml(archive, "META-INF/container.xml")
    root = container.find(f".//{_CONTAINER}rootfile") if container is not None else None
    path = root.get("full-path", "") if root is not None else ""
    package = read_xml(archive, path)
    if package is None:
        raise ParseFailure(ReasonCode.CORRUPT, "the book has no readable package document")
    items = {item.get("id"): item for item in package.iterfind(f"{_OPF}manifest/{_OPF}item")}
    folder = posixpath.dirname(path)
    chapters = []
    for reference in package.iterfind(f"{_OPF}spine/{_OPF}itemref"):
        item = items.get(reference.get("idref"))
        if item is None or "nav" in item.get("properties", "").split():
            continue
        if "html" in item.get("media-type", ""):
            chapters.append(posixpath.normpath(posixpath.join(folder, unquote(item.get("href", "")))))
    return package.findtext(f"{_OPF}metadata/{_DC}title") or "", chapters


def _encrypted(archive: zipfile.ZipFile) -> set[str]:
    """Return the encrypted members. Fonts are often listed too: they are only obfuscated, and not read here."""
    listing = read_xml(archive, "META-INF/encryption.xml")
    if listing is None:
        return set()
    return {unquote(reference.get("URI", "")) for reference in listing.iter(f"{_ENC}CipherReference")}
