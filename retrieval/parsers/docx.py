"""DOCX: mammoth's semantic HTML, walked."""

import io
from typing import TYPE_CHECKING

from retrieval.canonical import CanonicalText
from retrieval.parsers.blocks import walk_html
from retrieval.parsers.ooxml import core_title
from retrieval.types import ParsedText

if TYPE_CHECKING:
    from collections.abc import Mapping

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

_STYLES = """
p[style-name='Title'] => h1:fresh
p[style-name='Source Code'] => pre:separator('\\n')
p[style-name='HTML Preformatted'] => pre:separator('\\n')
"""


def parse(data: bytes) -> ParsedText:
    """Parse a Word document. Comments, headers and footers are left out; notes follow the text."""
    import mammoth

    html = mammoth.convert_to_html(
        io.BytesIO(data),
        style_map=_STYLES,
        include_embedded_style_map=False,
        convert_image=mammoth.images.img_element(_without_data),
    ).value
    out = CanonicalText()
    walk_html(html, out)
    return out.build(MEDIA_TYPE, core_title(data))


def _without_data(_image: object) -> "Mapping[str, str]":
    """Leave the bytes out of the HTML; mammoth adds the alternative text itself."""
    return {}
