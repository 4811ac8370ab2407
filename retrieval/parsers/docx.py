"""DOCX: mammoth's semantic HTML, walked."""

import io
import re
import zipfile
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

_FORMULA_BLOCK = re.compile(rb"<m:oMathParaPr\b[^>]*(?:/>|>.*?</m:oMathParaPr>)|</?m:oMathPara\b[^>]*>", re.DOTALL)
_FORMULA = re.compile(rb"<m:oMath\b[^>]*>.*?</m:oMath>", re.DOTALL)
_FORMULA_SIGNS = ((b"<m:sup>", b"^"), (b"<m:sub>", b"_"), (b"<m:den>", b"/"), (b"<m:rad>", "\u221a".encode()))
_TAG = re.compile(rb"<[^>]*>")


def parse(data: bytes) -> ParsedText:
    """Parse a Word document. Comments, headers and footers are left out; notes follow the text."""
    import mammoth

    html = mammoth.convert_to_html(
        _with_linear_formulas(data),
        style_map=_STYLES,
        include_embedded_style_map=False,
        convert_image=mammoth.images.img_element(_without_data),
    ).value
    out = CanonicalText()
    walk_html(html, out)
    return out.build(MEDIA_TYPE, core_title(data))


def _with_linear_formulas(data: bytes) -> io.BytesIO:
    """Return the document with its formulas as plain text runs (x^2, a/b): mammoth leaves formulas out."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        parts = {name: source.read(name) for name in source.namelist() if name.endswith((".xml", ".rels"))}
    if not any(b"<m:oMath" in part for part in parts.values()):
        return io.BytesIO(data)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, _FORMULA.sub(_linear, _FORMULA_BLOCK.sub(b"", part)))
    return target


def _linear(formula: re.Match[bytes]) -> bytes:
    text = formula[0]
    for tag, sign in _FORMULA_SIGNS:
        text = text.replace(tag, sign)
    return b'<w:r><w:t xml:space="preserve">' + _TAG.sub(b"", text) + b"</w:t></w:r>"


def _without_data(_image: object) -> "Mapping[str, str]":
    """Leave the bytes out of the HTML; mammoth adds the alternative text itself."""
    return {}
