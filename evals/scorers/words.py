"""Words and numbers of a text, so that two ways of writing the same thing compare equal."""

import re
import unicodedata
from functools import lru_cache

_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_PERCENT = re.compile(r"(?<=\d)\s*(?:%|per\s?cent\b)", re.IGNORECASE)
_APOSTROPHE = re.compile(r"['\u2019](?:s\b)?")
_ARTICLES = frozenset({"a", "an", "the"})
_ACCENTS = re.compile("[\u0300-\u036f]")
# Vowel signs are no letters to `re`, yet Hindi, Arabic or Tamil words are not words without them.
_SIGNS = "".join(chr(code) for code in range(0x0590, 0x1E00) if unicodedata.category(chr(code)).startswith("M"))
# Scripts written without spaces: each character is a token of its own, as in MLQA's evaluation (Lewis et al. 2020).
_SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(rf"\d+(?:\.\d+)*%?|[{_SPACELESS}]|(?:(?![{_SPACELESS}])(?:[^\W\d_]|[{_SIGNS}]))+")


@lru_cache(maxsize=1_024)  # several scorers read the same answer
def normalised(text: str) -> tuple[str, ...]:
    """The words and numbers of a text: lower case, no articles, no accents, 1,000 as 1000, "5 percent" as 5%.

    What is written without spaces between words (Chinese, Japanese, Thai) is cut into characters.
    """
    text = unicodedata.normalize("NFKC", text).casefold()
    text = _APOSTROPHE.sub("", _PERCENT.sub("%", _THOUSANDS.sub("", text)))
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _ACCENTS.sub("", unicodedata.normalize("NFKD", text)).casefold())
    return tuple(token for token in _TOKEN.findall(text) if token not in _ARTICLES)


def holds(said: tuple[str, ...], part: str) -> bool:
    """Whether the words of `part` stand in `said`, one after the other."""
    wanted = normalised(part)
    return bool(wanted) and any(said[i : i + len(wanted)] == wanted for i in range(len(said) - len(wanted) + 1))
