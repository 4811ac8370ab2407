"""Numbers, dates and units, written alike: 1,000.00 and 1000 are one number, so are "five" and 5."""

import re
from typing import NamedTuple

_NUMBER = re.compile(r"(?<![\w.,])[-−]?\d+(?:[.,]\d+)*|\d+(?:[.,]\d+)*")
_NEXT = re.compile(r"\s?(%|‰|°[CF]?|€|\$|£|[^\W\d_]+)")
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_WORDS = {word: str(value) for value, word in enumerate(_ONES)} | {
    word: str(10 * value) for value, word in enumerate(_TENS, start=2)
}
_SPELT = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b", re.IGNORECASE)
_IDIOMS = frozenset({"one", "zero"})
"""Say more often something else than a number."""
_MONTHS = "january february march april may june july august september october november december".split()
_MONTH = "|".join(f"{month}|{month[:3]}\\.?" for month in _MONTHS)
_DAY = r"(?P<d>\d{1,2})(?:st|nd|rd|th)?"
_DATES = (
    re.compile(rf"\b{_DAY}\s+(?:of\s+)?(?P<m>{_MONTH})\s*,?\s+(?P<y>\d{{4}})\b", re.IGNORECASE),
    re.compile(rf"\b(?P<m>{_MONTH})\s+{_DAY}\s*,?\s+(?P<y>\d{{4}})\b", re.IGNORECASE),
    re.compile(r"\b(?P<y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})\b"),
)
_UNITS = {
    unit: names[0]
    for names in (
        ("%", "percent", "pct"),
        ("ms", "millisecond"),
        ("s", "sec", "second"),
        ("min", "minute"),
        ("h", "hr", "hour"),
        ("day",),
        ("week",),
        ("month",),
        ("year",),
        ("b", "byte"),
        ("kb", "kilobyte", "kib"),
        ("mb", "megabyte", "mib"),
        ("gb", "gigabyte", "gib"),
        ("tb", "terabyte", "tib"),
        ("mm", "millimeter", "millimetre"),
        ("cm", "centimeter", "centimetre"),
        ("m", "meter", "metre"),
        ("km", "kilometer", "kilometre"),
        ("mile", "mi"),
        ("g", "gram"),
        ("kg", "kilogram"),
        ("eur", "€", "euro"),
        ("usd", "$", "dollar"),
        ("gbp", "£", "pound"),
        ("thousand",),
        ("million",),
        ("billion",),
    )
    for unit in names
}


class Quantity(NamedTuple):
    """A number as `plain` writes it, and its unit by its first name; "" where none is known."""

    value: str
    unit: str


def quantities(text: str) -> frozenset[Quantity]:
    """What a text counts and dates. A date is one quantity, `2026-11-28` with the unit "date"."""
    text, found = _without_dates(text)
    for match in _NUMBER.finditer(text):
        found.add(Quantity(plain(match.group()), _unit(text, match)))
    for match in _SPELT.finditer(text):
        word = match.group().lower()
        unit = _unit(text, match)
        if unit or word not in _IDIOMS:
            found.add(Quantity(_WORDS[word], unit))
    return frozenset(found)


def plain(number: str) -> str:
    """A number with its sign: 1,000.00 is 1000, but 3.1 and 3.10 are two (they may be versions)."""
    number = re.sub(r",(?=\d{3}(?!\d))", "", number.replace("−", "-"))
    return re.sub(r"\.0+$", "", number)


def missing(claimed: frozenset[Quantity], source: frozenset[Quantity]) -> list[Quantity]:
    """Quantities that a source does not state: another number, or the number with another known unit."""
    return sorted(quantity for quantity in claimed if not any(_same(quantity, other) for other in source))


def _same(a: Quantity, b: Quantity) -> bool:
    return a.value == b.value and (a.unit == b.unit or not a.unit or not b.unit)


def _without_dates(text: str) -> tuple[str, set[Quantity]]:
    found: set[Quantity] = set()
    for pattern in _DATES:
        for match in pattern.finditer(text):
            found.add(Quantity(f"{match['y']}-{_month(match['m']):02d}-{int(match['d']):02d}", "date"))
        text = pattern.sub(" ", text)
    return text, found


def _month(said: str) -> int:
    return int(said) if said.isdigit() else 1 + next(i for i, m in enumerate(_MONTHS) if m[:3] == said[:3].lower())


def _unit(text: str, match: re.Match[str]) -> str:
    if match.start() and text[match.start() - 1] in "€$£":
        return _UNITS[text[match.start() - 1]]
    following = _NEXT.match(text, match.end())
    if following is None:
        return ""
    word = following.group(1).lower()
    return _UNITS.get(word) or _UNITS.get(word.removesuffix("s"), "")
