"""The type of a file, from its content. Names lie, and uploads have none."""

import io
import re
import zipfile

from retrieval.decoding import decode
from retrieval.errors import ParseFailure
from retrieval.parsers import csv, docx, eml, epub, html, markdown, pptx, spreadsheet, text
from retrieval.types import ReasonCode, Stage

PDF = "application/pdf"

_SUPPORTED = "PDF, DOCX, PPTX, XLSX, XLS, ODS, HTML, Markdown, CSV, e-mail (EML), EPUB and plain text"
_MAGIC = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"RIFF", "a RIFF media file"),
    (b"ID3", "an MP3 recording"),
    (b"OggS", "an Ogg recording"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"BZh", "a bzip2 archive"),
    (b"{\\rtf", "an RTF document"),
    (b"%!PS", "a PostScript file"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Names of streams in OLE compound files, in order: a Word file may embed a workbook, not the other way round.
_OLE_STREAMS = (
    ("WordDocument", "a Word 97-2003 document: save it as DOCX"),
    ("PowerPoint Document", "a PowerPoint 97-2003 presentation: save it as PPTX"),
    ("__substg1.0_", "an Outlook message: save it as EML"),
)
_ODF_NAMES = {"text": "an OpenDocument text", "presentation": "an OpenDocument presentation"}

_HTML_START = re.compile(r"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_XHTML = re.compile(r"\s*<\?xml\b.{0,2000}?<html\b", re.IGNORECASE | re.DOTALL)
_FRAGMENT = re.compile(
    r"\s*(?:<!--.*?-->\s*)*<(?:h[1-6]|p|div|table|ul|ol|section|article|main|title|meta|link|style|script|span|a)\b[^<>]*>",
    re.IGNORECASE | re.DOTALL,
)
_HEADER = re.compile(r"([A-Za-z][A-Za-z0-9-]*):(?:[ \t].*)?$")
_MAIL_HEADERS = frozenset(
    ("to", "subject", "date", "message-id", "mime-version", "received", "return-path", "reply-to", "cc", "delivered-to")
)
_STRONG = (
    re.compile(r"^(?:```|~~~)", re.MULTILINE),
    re.compile(r"!?\[[^\]\n]+\]\((?:[^()\s]|\([^()\s]*\))+(?: \"[^\"\n]*\")?\)"),
    re.compile(r"^[ \t]*(?:\|[ \t]*:?-|:?--)-*:?[ \t]*\|[-:| \t]*$", re.MULTILINE),
    re.compile(r"^!\[[^\]\n]*\]", re.MULTILINE),
    re.compile(r"^#{1,6}[ \t]+\S.*\n[ \t]*\n", re.MULTILINE),
    re.compile(r"^(?=\S.*\n)(?![-=#>*+]).+\n(?:={3,}|-{3,})[ \t]*\n[ \t]*\n", re.MULTILINE),
)
_WEAK = (
    re.compile(r"^#{1,6}[ \t]+\S", re.MULTILINE),
    re.compile(r"^[-*+][ \t]+\S", re.MULTILINE),
    re.compile(r"\*\*[^*\s][^*\n]*\*\*"),
    re.compile(r"^>[ \t]", re.MULTILINE),
    re.compile(r"(?<!`)`[^`\n]+`(?!`)"),
)
_SAMPLE_CHARS = 65_536


def media_type(data: bytes) -> str:
    """Return the media type of a file's content.

    Raises:
        ParseFailure: at stage DETECT: ENCRYPTED, CORRUPT (a broken archive), EMPTY or UNSUPPORTED.
    """
    if not data.strip(b" \t\r\n\0"):
        raise _failure(ReasonCode.EMPTY, "the file has no content")
    if b"%PDF-" in data[:1024]:
        return PDF
    if data.startswith(b"PK\x03\x04"):
        return _zip_type(data)
    if data.startswith(_OLE):
        return _ole_type(data)
    seems = next((name for magic, name in _MAGIC if data.startswith(magic)), None)
    if seems is None and data[4:8] == b"ftyp":
        seems = "an MPEG-4 media file"
    if seems is not None and not (seems == "a program" and data.isascii()):
        raise _unsupported(seems)
    decoded = decode(data)
    if decoded is None or _is_binary(decoded):
        raise _unsupported("a binary file of unknown type")
    return _text_type(decoded)


def _failure(code: ReasonCode, detail: str) -> ParseFailure:
    return ParseFailure(code, detail, Stage.DETECT)


def _unsupported(seems: str) -> ParseFailure:
    return _failure(ReasonCode.UNSUPPORTED, f"it seems to be {seems}; supported are {_SUPPORTED}")


def _zip_type(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            mimetype = _declared_mimetype(archive)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise _failure(ReasonCode.CORRUPT, "the zip container cannot be opened: truncated or damaged") from error
    if any(member.flag_bits & 1 for member in members):
        raise _failure(ReasonCode.ENCRYPTED, "the archive is protected by a password")
    names = {member.filename for member in members}
    if mimetype == epub.MEDIA_TYPE or "META-INF/container.xml" in names:
        return epub.MEDIA_TYPE
    if mimetype.startswith(spreadsheet.ODS):
        return spreadsheet.ODS
    if mimetype.startswith("application/vnd.oasis.opendocument."):
        raise _unsupported(_ODF_NAMES.get(mimetype.rsplit(".", 1)[-1], "an OpenDocument file"))
    if "[Content_Types].xml" in names:
        for folder, kind in (("word/", docx.MEDIA_TYPE), ("xl/", spreadsheet.XLSX), ("ppt/", pptx.MEDIA_TYPE)):
            if any(name.startswith(folder) for name in names):
                return kind
    raise _unsupported("a zip archive: unpack it first")


def _declared_mimetype(archive: zipfile.ZipFile) -> str:
    """Return what the member `mimetype` says (EPUB and OpenDocument have one)."""
    member = archive.NameToInfo.get("mimetype")
    if member is None or member.flag_bits & 1:
        return ""
    with archive.open(member) as stream:
        return stream.read(100).decode("ascii", errors="replace").strip()


def _ole_type(data: bytes) -> str:
    if _utf16("EncryptedPackage") in data:
        raise _failure(ReasonCode.ENCRYPTED, "the Office document is protected by a password")
    for stream, seems in _OLE_STREAMS:
        if _utf16(stream) in data:
            raise _unsupported(seems)
    if _utf16("Workbook") in data or _utf16("Book\0") in data:
        return spreadsheet.XLS
    raise _unsupported("an OLE compound file of unknown kind")


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-le")


def _is_binary(decoded: str) -> bool:
    sample = decoded[:_SAMPLE_CHARS]
    controls = sum(1 for character in sample if character < " " and character not in "\t\n\r\f\v\x1b")
    return controls + sample.count("\ufffd") > 0.02 * len(sample)


def _text_type(decoded: str) -> str:
    sample = decoded[:_SAMPLE_CHARS].lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    is_markdown = _is_markdown(sample)
    if _HTML_START.match(sample) or _XHTML.match(sample) or (_FRAGMENT.match(sample) and not is_markdown):
        return html.MEDIA_TYPE
    if _is_mail(sample):
        return eml.MEDIA_TYPE
    # XML, JSON and logs in brackets may have as many commas on each line, and are no tables.
    if sample.lstrip()[:1] not in ("<", "{", "[") and csv.find_delimiter(sample) is not None:
        return csv.MEDIA_TYPE
    return markdown.MEDIA_TYPE if is_markdown else text.MEDIA_TYPE


def _is_mail(sample: str) -> bool:
    """RFC 5322: header fields from the first line on, From and another usual one among them."""
    names = set()
    for line in sample.lstrip("\n").split("\n")[:200]:
        if not line.strip():
            break
        if line[0] in " \t":
            continue
        header = _HEADER.match(line)
        if header is None:
            return False
        names.add(header[1].lower())
    return "from" in names and len(names & _MAIL_HEADERS) >= 2


def _is_markdown(sample: str) -> bool:
    """One construct that only Markdown has, or several that it shares with other plain text."""
    if sample.startswith(("WEBVTT", "<?xml", "{")):
        return False
    front = markdown.FRONT_MATTER.match(sample)
    if front is not None and re.search(r"^\w[\w-]*:", front[1], re.MULTILINE):
        return True
    strong = sum(1 for pattern in _STRONG if pattern.search(sample))
    return strong > 0 or sum(1 for pattern in _WEAK if pattern.search(sample)) >= 2
