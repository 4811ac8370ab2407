"""The words of a text that say what it is about. The only door to PyStemmer."""

import re
from functools import lru_cache
from typing import Any

from retrieval.language import ENGLISH, STEMMERS

_WORD = re.compile(r"\w+")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
_STOPWORDS = frozenset(
    "a an and are as at be been but by can could did do does for from had has have he her his how i if in into is it "
    "its me my no not of on or our she should so such than that the their them then there these they this those to was "
    "we were what when where which who whom whose why will with would you your".split()
)
NGRAM_CHARS = 4


@lru_cache(maxsize=32)
def _stemmer(language: str) -> Any:
    import Stemmer

    return Stemmer.Stemmer(STEMMERS[language])


def words(text: str) -> list[str]:
    """Lower-case words as they stand, in order."""
    return _WORD.findall(text.lower())


def content_words(text: str) -> list[str]:
    """Lower-case words without stop words, each cut to its stem by Snowball's English stemmer, in order."""
    telling = [word for word in words(text) if word not in _STOPWORDS]
    return list(_stemmer(ENGLISH).stemWords(telling))


def index_words(text: str, language: str) -> list[str]:
    """What a word index takes for a text, with repetitions.

    English: `content_words`. Other languages: stems, and the words' 4-grams, which meet inside compounds (on German
    questions they took nDCG@10 of BM25 from .94 to .97, on English ones they only cost). Scripts without spaces:
    pairs of neighbouring characters.
    """
    if language == ENGLISH:
        return content_words(text)
    forms = words(text)
    stems = list(_stemmer(language).stemWords(forms)) if language in STEMMERS else forms
    grams = [word[i : i + NGRAM_CHARS] for word in forms for i in range(max(1, len(word) - NGRAM_CHARS + 1))]
    pairs = [run[i : i + 2] for run in _UNSPACED.findall(text) for i in range(max(1, len(run) - 1))]
    return [*stems, *grams, *pairs]
