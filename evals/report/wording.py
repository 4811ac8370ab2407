"""Numbers and texts as reports write them."""

import re
from typing import Literal

from evals.types import Comparison, Verdict

_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_REORDERING = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")

OUTCOMES = {"worse": "worse", "not_worse": "not worse", "unclear": "unclear"}
MEANINGS = {
    Verdict.PASS: "nothing that matters got worse",
    Verdict.FAIL: "worse than the release in production, or against a rule that has no exception",
    Verdict.INCONCLUSIVE: "neither shown to be worse nor shown not to be",
    Verdict.UNMEASURABLE: "too much is missing to judge",
}


def clean(text: str) -> str:
    """A text that every format can hold: what cannot be printed, or would reorder what is, becomes U+FFFD."""
    return _REORDERING.sub("\ufffd", _UNPRINTABLE.sub("\ufffd", text))


def clipped(text: str, width: int = 160) -> str:
    """A text on one line of at most `width` characters."""
    text = " ".join(clean(text).split())
    return text if len(text) <= width else text[: width - 1] + "…"


def number(value: float, *, signed: bool = False) -> str:
    """Three digits that matter: 0.123, 12.3, 1234, 0.00042. Nothing is never written as −0."""
    if 0 < abs(value) < 0.0005:
        said = f"{value:+.2g}" if signed else f"{value:.2g}"
    else:
        digits = 3 if abs(value) < 10 else 1 if abs(value) < 1_000 else 0
        said = f"{value + 0.0:+.{digits}f}" if signed else f"{value + 0.0:.{digits}f}"
    return said.replace("-", "−")


def interval(low: float | None, high: float | None, *, signed: bool = False) -> str:
    """Both ends of an interval; "" where there is none."""
    return "" if low is None or high is None else f"[{number(low, signed=signed)}, {number(high, signed=signed)}]"


def changed(one: Comparison) -> str:
    """A difference with its interval."""
    return f"{number(one.difference, signed=True)} {interval(one.low, one.high, signed=True)}"


def short_id(text: str | None, length: int = 12) -> str:
    """The first characters of a hash; "+changes" behind a commit stays."""
    if not text:
        return "–"
    head, plus, rest = text.partition("+")
    return head[:length] + plus + rest


def plural(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun: 1 case, 2 cases."""
    return f"{count} {one if count == 1 else many or one + 's'}"


Tone = Literal["good", "bad", "unsure", "broken", "note"]
_TONES: dict[Verdict, Tone] = {
    Verdict.PASS: "good",
    Verdict.FAIL: "bad",
    Verdict.INCONCLUSIVE: "unsure",
    Verdict.UNMEASURABLE: "broken",
}


def tone(verdict: Verdict | None) -> Tone:
    """What a verdict, or the lack of one, looks like."""
    return "note" if verdict is None else _TONES[verdict]
