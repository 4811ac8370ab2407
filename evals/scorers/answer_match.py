"""Whether the answer says what it must: whole words in any case, however punctuation and numbers are written."""

import re
import unicodedata

from app.types import ChatResult
from evals.cases import Case
from evals.types import Evidence

_TOKEN = re.compile(r"\d+(?:\.\d+)*%?|[^\W\d_]+")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_PERCENT = re.compile(r"(?<=\d)\s*(?:%|per\s?cent\b)", re.IGNORECASE)
_APOSTROPHE = re.compile(r"['\u2019](?:s\b)?")
_ARTICLES = frozenset({"a", "an", "the"})


def answer_match(case: Case, result: ChatResult, evidence: Evidence) -> float | None:
    """1 when the answer holds all of `must`, or without `must` any one of `answers`, and nothing of `must_not`.

    An abstention where an answer was due is 0. Does not apply where no answer is due.
    """
    gold = case.gold
    if gold.action != "answer":
        return None
    if result.abstained:
        return 0.0
    said = normalised(result.answer)
    says = all(_holds(said, part) for part in gold.must) if gold.must else any(_holds(said, a) for a in gold.answers)
    return float(says and not any(_holds(said, part) for part in gold.must_not))


def normalised(text: str) -> tuple[str, ...]:
    """The words and numbers of a text: lower case, no articles, 1,000 as 1000, "5 percent" as 5%."""
    text = unicodedata.normalize("NFKC", text).casefold()
    text = _APOSTROPHE.sub("", _PERCENT.sub("%", _THOUSANDS.sub("", text)))
    return tuple(token for token in _TOKEN.findall(text) if token not in _ARTICLES)


def _holds(said: tuple[str, ...], part: str) -> bool:
    """Whether the words of `part` stand in `said`, one after the other."""
    wanted = normalised(part)
    return bool(wanted) and any(said[i : i + len(wanted)] == wanted for i in range(len(said) - len(wanted) + 1))
