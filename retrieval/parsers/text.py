"""Plain text: kept as it is, line by line."""

from retrieval.canonical import CanonicalText
from retrieval.decoding import decode
from retrieval.errors import ParseFailure
from retrieval.types import ParsedText, ReasonCode

MEDIA_TYPE = "text/plain"


def parse(data: bytes) -> ParsedText:
    """Parse a plain text file."""
    text = decode(data)
    if text is None:
        raise ParseFailure(ReasonCode.CORRUPT, "the file is in no known text encoding")
    out = CanonicalText()
    out.block(text)
    return out.build(MEDIA_TYPE)
