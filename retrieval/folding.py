"""How texts are compared when something must be found again however it was written."""

import html
import json
import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")
_PERCENT = re.compile("%[0-9a-fA-F]{2}")
_ENTITY = re.compile(r"&(?:#\w+|\w+);?")
_ESCAPE = re.compile(r"(?:\\u[0-9a-fA-F]{4})+|\\[ntrbf\"/\\]")


def fold(text: str) -> str:
    """Text without case, compatibility forms (NFKC), invisible characters and runs of white space."""
    if text.isascii():
        return " ".join(text.lower().split())
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).casefold())
    return " ".join(text.casefold().split())


def readings(text: str) -> Iterator[str]:
    """A text folded, and folded once more for each way in which it may have been escaped: JSON, HTML, URL."""
    yield fold(text)
    if "\\" in text:
        yield fold(_ESCAPE.sub(_unescaped, text))
    if _ENTITY.search(text):
        yield fold(html.unescape(text))
    if _PERCENT.search(text):
        yield fold(unquote(text, errors="ignore"))


def _unescaped(found: re.Match[str]) -> str:
    said = json.loads(f'"{found[0]}"')
    return str(said).encode("utf-8", "ignore").decode()
