"""Markdown (CommonMark with tables): rendered to HTML, then walked, so that no markup is left in the text."""

import re

from retrieval.canonical import CanonicalText
from retrieval.decoding import decode
from retrieval.errors import ParseFailure
from retrieval.parsers.blocks import walk_html
from retrieval.types import ParsedText, ReasonCode

MEDIA_TYPE = "text/markdown"

FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?\r?\n)(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL)


def parse(data: bytes) -> ParsedText:
    """Parse a Markdown file."""
    from markdown_it import MarkdownIt

    text = decode(data)
    if text is None:
        raise ParseFailure(ReasonCode.CORRUPT, "the file is in no known text encoding")
    title = ""
    if (front := FRONT_MATTER.match(text)) is not None and (title_found := _front_title(front[1])) is not None:
        title, text = title_found, text[front.end() :]
    out = CanonicalText()
    walk_html(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text), out)
    return out.build(MEDIA_TYPE, title)


def _front_title(front: str) -> str | None:
    """Return the title in a block of YAML front matter ("" without one), or None if it is not front matter."""
    import yaml

    try:
        fields = yaml.safe_load(front)
    except yaml.YAMLError:
        return None
    if not isinstance(fields, dict):
        return None
    title = fields.get("title")
    return title if isinstance(title, str) else ""
