"""What a contract needs to know of one document's text: computed once for a version, a few kilobytes."""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Literal

PROFILE = 1
"""Version of the computation: another number is computed anew."""
MAX_NUMBERS = 50
MAX_LINES = 200
MIN_LINE_CHARS = 20
PERMUTATIONS = 64
MINHASH: Literal["affine32"] = "affine32"
"""The scheme of the hashes that are kept; another makes them incomparable."""
SHINGLE_WORDS = 5
MAX_CHARS = 500_000
"""Of a text that are looked at."""

_UNITS = {
    "€": "EUR", "eur": "EUR", "euro": "EUR", "euros": "EUR", "ct": "cent", "cent": "cent", "cents": "cent",
    "$": "USD", "usd": "USD", "dollar": "USD", "dollars": "USD", "£": "GBP", "gbp": "GBP", "%": "%", "percent": "%",
    "mm": "mm", "cm": "cm", "m": "m", "km": "km", "g": "g", "kg": "kg", "ml": "ml", "l": "l", "°c": "°C",
}  # fmt: skip
_KINDS = ({"EUR", "cent", "USD", "GBP"}, {"mm", "cm", "m", "km"}, {"g", "kg"}, {"ml", "l"})
_NUMBER = r"\d{1,3}(?:[.,\u00a0\u202f ]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?"
_AFTER = re.compile(
    rf"(?<![\w.,])({_NUMBER})[\u00a0\u202f ]?("
    + "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
    + r")(?!\w)",
    re.IGNORECASE,
)
_BEFORE = re.compile(rf"(€|\$|£|\beur|\busd|\bgbp)[\u00a0\u202f ]?({_NUMBER})(?![\w.,]*\d)", re.IGNORECASE)
_WORD = re.compile(r"\w+")
_VOWEL = re.compile(r"[aeiouyäöüàâéèêëîïôûœæåøáíóúñ]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Profile:
    """A document's text in numbers. `modified` is the file's, in UTC."""

    modified: datetime
    language: str
    characters: int
    mojibake: float
    """Wrongly decoded places per 1,000 characters."""
    noise: float
    """Share of words that look like failed recognition: letters and digits mixed, or long without a vowel."""
    numbers: Mapping[str, list[float]] = field(default_factory=dict)
    """Numbers by their unit, in the order of the text."""
    lines: tuple[int, ...] = ()
    """Hashes of its longer lines."""
    minhash: tuple[int, ...] = ()
    """Of its 5-word shingles; empty for a text without a word."""


def profile(text: str, language: str, modified: datetime) -> Profile:
    """Compute the profile of a text."""
    from ftfy.badness import badness

    text = text[:MAX_CHARS]
    words = _WORD.findall(text)
    return Profile(
        modified=modified,
        language=language,
        characters=len(text),
        mojibake=round(1_000 * badness(text) / max(1, len(text)), 3),
        noise=round(sum(map(_is_noise, words)) / max(1, len(words)), 4),
        numbers=numbers(text),
        lines=_lines(text),
        minhash=_minhash(words),
    )


def numbers(text: str) -> dict[str, list[float]]:
    """The numbers of a text by their unit."""
    found = [(match.start(), match[2], match[1]) for match in _AFTER.finditer(text)]
    found += [(match.start(), match[1], match[2]) for match in _BEFORE.finditer(text)]
    by_unit: dict[str, list[float]] = {}
    for _, unit, digits in sorted(found):
        values = by_unit.setdefault(_UNITS[unit.lower()], [])
        if len(values) < MAX_NUMBERS:
            values.append(to_number(digits))
    return by_unit


def quantity(text: str) -> float | None:
    """The number of a text that is a number and a unit and nothing else; None for any other text."""
    text = text.strip()
    if match := _AFTER.fullmatch(text):
        return to_number(match[1])
    return to_number(match[2]) if (match := _BEFORE.fullmatch(text)) else None


def same_kind(unit: str, other: str) -> bool:
    """Whether two units measure the same: both money, both a length."""
    return any(unit in kind and other in kind for kind in _KINDS)


def to_number(digits: str) -> float:
    """Read a number with separators: the last of two kinds is the decimal one; groups of three are thousands."""
    plain = re.sub(r"[\u00a0\u202f ]", "", digits)
    if "," in plain and "." in plain:
        thousands = "," if plain.rfind(",") < plain.rfind(".") else "."
        return float(plain.replace(thousands, "").replace(",", "."))
    mark = "," if "," in plain else "."
    groups = plain.split(mark)
    if len(groups) > 2 or (mark == "," and len(groups) == 2 and len(groups[1]) == 3):
        return float("".join(groups))
    return float(plain.replace(",", "."))


def _is_noise(word: str) -> bool:
    letters = sum(map(str.isalpha, word))
    broken = word[0].isalpha() and any(a.isdigit() and b.isalpha() for a, b in pairwise(word))
    return broken or (word.isascii() and word.islower() and letters >= 5 and _VOWEL.search(word) is None)


def _lines(text: str) -> tuple[int, ...]:
    longer = (line.strip() for line in text.split("\n"))
    return tuple(zlib.crc32(line.encode()) for line in longer if len(line) >= MIN_LINE_CHARS)[:MAX_LINES]


def _minhash(words: list[str]) -> tuple[int, ...]:
    from datasketch import MinHash

    if not words:
        return ()
    lower = [word.lower() for word in words]
    count = max(1, len(lower) - SHINGLE_WORDS + 1)
    shingles = {" ".join(lower[i : i + SHINGLE_WORDS]).encode() for i in range(count)}
    sketch = MinHash(PERMUTATIONS, scheme=MINHASH)
    sketch.update_batch(sorted(shingles))
    return tuple(int(value) for value in sketch.hashvalues)
