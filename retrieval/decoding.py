"""Bytes to text: byte order marks, then UTF-8, then what the document declares, then a guess."""

import codecs
import re

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark begins with UTF-16's
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]{2,40})""")
_SAMPLE = 65_536


def decode(data: bytes, declared: str = "") -> str | None:
    """Decode `data`, or return None if it is not text.

    Args:
        data: The whole file, or one part of a message.
        declared: The charset that the container names (a MIME parameter), if any.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace")
    if (wide := _wide_encoding(data)) is not None:
        return data.decode(wide, errors="replace")
    text = _utf8(data)
    if text is None and _is_codec(declared):
        text = data.decode(declared, errors="replace")
    return text if text is not None else _guess(data)


def declared_charset(data: bytes) -> str:
    """Return the charset that an HTML or XML document names near its start, or ""."""
    found = _DECLARED.search(data[:4096])
    return found[1].decode("ascii") if found else ""


def _is_codec(name: str) -> bool:
    try:
        b"".decode(name)
    except (LookupError, ValueError):  # ValueError: a NUL in the name
        return False
    return bool(name)


def _wide_encoding(data: bytes) -> str | None:
    """UTF-16 without a mark: in mostly Latin text every other byte is NUL."""
    sample = data[: _SAMPLE - _SAMPLE % 2]
    if len(sample) < 4 or b"\0" not in sample:
        return None
    even, odd = sample[::2].count(0) / (len(sample) / 2), sample[1::2].count(0) / (len(sample) / 2)
    if odd > 0.4 and even < 0.05:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 and odd < 0.05 else None


def _utf8(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    # A few broken bytes in a text that otherwise is UTF-8 should not turn every accent into mojibake.
    text = data.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    intact = sum(1 for character in text if character > "\x7f") - broken
    return text if intact > 10 * broken else None


def _guess(data: bytes) -> str | None:
    from charset_normalizer import from_bytes

    best = from_bytes(data[:_SAMPLE]).best()
    return data.decode(best.encoding, errors="replace") if best else None
