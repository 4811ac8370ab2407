"""The ids of documents, versions and snapshots: hashes of what they name."""

import hashlib
import json

from retrieval.types import ParsedText


def digest(text: str) -> str:
    """16 hexadecimal digits that name a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def document_id(corpus: str, uri: str) -> str:
    """The id that names a document for life: a digest of corpus and uri."""
    return digest(f"{corpus}\0{uri}")


def version_of(parsed: ParsedText, sha256: str, parser: str) -> str:
    """The name of a version: the same file by the same parser is the same version, on any machine."""
    return digest(json.dumps([parsed.text, parsed.title, [s.start for s in parsed.sections], sha256, parser]))
