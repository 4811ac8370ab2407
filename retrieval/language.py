"""Which language a text is in. The only door to py3langid."""

from functools import lru_cache
from typing import Any

ENGLISH = "en"
SURE = 0.9
"""Below this probability a text counts as English. Of 2,200 English questions none was taken for another language."""
MAX_CHARS = 20_000
MIN_LETTERS = 40

STEMMERS = {
    "ar": "arabic", "ca": "catalan", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish",
    "eu": "basque", "fi": "finnish", "fr": "french", "hu": "hungarian", "hy": "armenian", "id": "indonesian",
    "it": "italian", "lt": "lithuanian", "ne": "nepali", "nl": "dutch", "no": "norwegian", "pt": "portuguese",
    "ro": "romanian", "ru": "russian", "sr": "serbian", "sv": "swedish", "ta": "tamil", "tr": "turkish",
}  # fmt: skip
"""The languages that Snowball stems, by their ISO 639-1 code."""
UNSTEMMED = ("cs", "hi", "ja", "ko", "pl", "th", "uk", "zh")
"""Languages that are told apart but have no stemmer."""


def language_of(text: str) -> str:
    """The ISO 639-1 code of a text's language, read from its beginning; English where that is not sure."""
    language, probability = _identifier().classify(text[:MAX_CHARS])
    return str(language) if probability >= SURE else ENGLISH


def likeliest(text: str) -> str:
    """What is recorded of a document: the two-letter code of its likeliest language, "" if it is too short to tell."""
    sample = text[:MAX_CHARS]
    if sum(map(str.isalpha, sample)) < MIN_LETTERS:
        return ""
    import py3langid

    code = str(py3langid.classify(sample)[0])
    return code if len(code) == 2 else ""  # three letters: small languages, mostly guessed from tables and codes


@lru_cache(maxsize=1)
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages([*STEMMERS, *UNSTEMMED])
    return identifier
