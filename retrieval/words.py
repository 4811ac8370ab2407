"""The words of a text that say what it is about. The only door to PyStemmer."""

import re
from functools import lru_cache
from typing import Any

_WORD = re.compile(r"\w+")
_STOPWORDS = frozenset(
    "a an and are as at be been but by can could did do does for from had has have he her his how i if in into is it "
    "its me my no not of on or our she should so such than that the their them then there these they this those to was "
    "we were what when where which who whom whose why will with would you your".split()
)


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    import Stemmer

    return Stemmer.Stemmer("english")


def content_words(text: str) -> list[str]:
    """Lower-case words without stop words, each cut to its stem by Snowball's English stemmer, in order."""
    words = [word for word in _WORD.findall(text.lower()) if word not in _STOPWORDS]
    return list(_stemmer().stemWords(words))
