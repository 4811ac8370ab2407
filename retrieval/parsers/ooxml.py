"""What Office and EPUB files share: small XML parts of a zip archive."""

import io
import zipfile
from xml.etree.ElementTree import Element, ParseError

from retrieval.canonical import one_line

_DC_TITLE = "{http://purl.org/dc/elements/1.1/}title"
_PLACEHOLDERS = frozenset({"powerpoint presentation", "presentation", "untitled", "document", "title", "slide 1"})


def read_xml(archive: zipfile.ZipFile, name: str) -> Element | None:
    """Parse one member, or return None if it is missing or not well-formed. Entities are refused."""
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        element: Element = fromstring(archive.read(name))
    except (KeyError, ParseError, DefusedXmlException):
        return None
    return element


def core_title(data: bytes) -> str:
    """Return the title in an Office file's properties, or "" if there is none that says something."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        properties = read_xml(archive, "docProps/core.xml")
    title = one_line(properties.findtext(_DC_TITLE) or "") if properties is not None else ""
    return "" if title.lower() in _PLACEHOLDERS else title
