"""Personal data by patterns and check digits, without any model. The only door to presidio and phonenumbers.

Presidio's recognizers give the patterns and the check digits. Its engine is left out: it needs a language model even
for patterns, and a pattern that runs out of time finds nothing there, where here it fails the whole check.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from guardrails.config import PiiSettings
from guardrails.errors import CheckFailed, CheckUnavailable
from guardrails.types import Finding

if TYPE_CHECKING:
    from presidio_analyzer import PatternRecognizer

VERSION = "pii-patterns/1"
WINDOW_CHARS, OVERLAP_CHARS = 20_000, 300
"""A text is read in windows; what lies in the overlap is found whole in one of the two."""
CONTEXT_CHARS = 60
"""A weak pattern counts only with one of its words so near before it or after it."""
SURE, LIKELY = 1.0, 0.85
GROUPED = 0.6
"""Of a valid phone number that is only written like one."""

RECOGNIZERS: Mapping[str, str] = {
    "CreditCardRecognizer": "CREDIT_CARD",
    "IbanRecognizer": "IBAN",
    "IpRecognizer": "IP_ADDRESS",
    "MacAddressRecognizer": "MAC_ADDRESS",
    "CryptoRecognizer": "CRYPTO_WALLET",
    "UsSsnRecognizer": "US_SSN",
    "UsItinRecognizer": "US_ITIN",
    "NhsRecognizer": "UK_NHS",
    "UkNinoRecognizer": "UK_NINO",
    "DeTaxIdRecognizer": "DE_TAX_ID",
    "DeSocialSecurityRecognizer": "DE_SOCIAL_SECURITY",
    "DeHealthInsuranceRecognizer": "DE_HEALTH_INSURANCE",
    "EsNifRecognizer": "ES_NIF",
    "EsNieRecognizer": "ES_NIE",
    "ItFiscalCodeRecognizer": "IT_FISCAL_CODE",
    "PlPeselRecognizer": "PL_PESEL",
    "FiPersonalIdentityCodeRecognizer": "FI_PERSONAL_ID",
    "SePersonnummerRecognizer": "SE_PERSONAL_ID",
}
"""Presidio's recognizers and what their finds are called here."""
BARE_NUMBERS = frozenset({"UK_NHS", "DE_TAX_ID", "PL_PESEL", "US_ITIN", "SE_PERSONAL_ID"})
"""Nothing but ten digits or so: one in ten of any such number has the right check digit, so a word must say it too."""

_EMAIL = re.compile(
    r"(?<![\w.+%-])[\w.+%-]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}(?:[^\W\d_]{2,24}|xn--[a-z0-9-]{2,59})(?![\w-])"
)
_PHONE = re.compile(r"(?<![\w.,/-])[+(]?\d[\d\s().\u2010-\u2015/-]{5,22}\d(?:\s?(?:x|ext\.?)\s?\d{1,6})?(?![\w-])")
_DATE = re.compile(r"\b(?:19|20)\d\d-\d\d-\d\d\b")
_CARD = re.compile(r"(?<![\w.-])[2-6](?:[ -]?\d){11,18}(?![\w-])")
_CARD_WORDS = frozenset({"card", "credit", "debit", "visa", "mastercard", "amex", "kreditkarte", "karte", "maestro"})
_PHONE_WORDS = frozenset(
    {"phone", "tel", "telephone", "mobile", "cell", "fax", "call", "telefon", "mobil", "handy", "number"}
)


class PiiPatterns:
    """Finds e-mail addresses, phone numbers, bank and card numbers, addresses of machines, ids of several countries.

    Names of persons and places are not found: that takes a model.
    """

    def __init__(self, settings: PiiSettings | None = None) -> None:
        """Making one is cheap; Presidio is imported by the first text."""
        self.settings = settings or PiiSettings()

    @property
    def fingerprint(self) -> str:
        """Names version and settings, not the denied words themselves."""
        said = repr((VERSION, sorted(self.settings.leave), self.settings.model_dump(exclude={"leave"})))
        return f"{VERSION}@{hashlib.sha256(said.encode()).hexdigest()[:12]}"

    def find(self, text: str) -> Sequence[Finding]:
        """What the text holds, in order of place; finds that overlap are one, of the kind of the surest.

        Raises:
            CheckUnavailable: Presidio is not installed.
            CheckFailed: A pattern ran out of time.
        """
        found: list[Finding] = []
        for start in range(0, max(1, len(text)), WINDOW_CHARS):
            shift = max(0, start - OVERLAP_CHARS)
            window = text[shift : start + WINDOW_CHARS + OVERLAP_CHARS]
            found += [
                Finding(finding.start + shift, finding.end + shift, finding.kind, finding.score)
                for finding in self._in_window(window)
                if finding.kind not in self.settings.leave and finding.score >= self.settings.min_score
            ]
        return _joined(found)

    def _in_window(self, text: str) -> Iterator[Finding]:
        yield from (Finding(match.start(), match.end(), "EMAIL", SURE) for match in _EMAIL.finditer(text))
        yield from self._phones(text)
        yield from _cards(text)
        for kind, recognizer, patterns in self._recognizers:
            for pattern, score in patterns:
                try:
                    for match in pattern.finditer(text, timeout=self.settings.regex_timeout_s):
                        if sure := _score(kind, recognizer, match.group(), score, _near(text, *match.span())):
                            yield Finding(match.start(), match.end(), kind, sure)
                except TimeoutError:
                    raise CheckFailed(f"{VERSION}: the pattern of {kind} ran out of time") from None
        if self._denied:
            yield from (Finding(match.start(), match.end(), "DENIED", SURE) for match in self._denied.finditer(text))

    def _phones(self, text: str) -> Iterator[Finding]:
        import phonenumbers

        for match in _PHONE.finditer(text):
            number = match.group()
            if sum(map(str.isdigit, number)) < 7 or "\n" in number or _DATE.search(number):
                continue
            international = number.startswith("+")
            spoken = bool(_words(_near(text, *match.span())).intersection(_PHONE_WORDS))
            if not (international or spoken or re.search(r"[\s().-]", number)):
                continue
            for region in (None,) if international else self.settings.phone_regions:
                try:
                    parsed = phonenumbers.parse(number, region)
                except phonenumbers.NumberParseException:
                    continue
                if phonenumbers.is_possible_number(parsed) if international else phonenumbers.is_valid_number(parsed):
                    score = LIKELY if international or spoken else GROUPED
                    yield Finding(match.start(), match.end(), "PHONE", score)
                    break

    @cached_property
    def _recognizers(self) -> Sequence[tuple[str, "PatternRecognizer", Sequence[tuple[Any, float]]]]:
        try:
            import presidio_analyzer.predefined_recognizers as presidio
            import regex
        except ImportError:
            raise CheckUnavailable(
                "Personal data is looked for with Presidio. Run: pip install presidio-analyzer"
            ) from None
        found = []
        for name, kind in RECOGNIZERS.items():
            recognizer = getattr(presidio, name)()
            flags = recognizer.global_regex_flags
            patterns = [(regex.compile(pattern.regex, flags), pattern.score) for pattern in recognizer.patterns]
            found.append((kind, recognizer, patterns))
        return found

    @cached_property
    def _denied(self) -> re.Pattern[str] | None:
        words = sorted(self.settings.deny, key=len, reverse=True)
        return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)", re.IGNORECASE) if words else None


def _cards(text: str) -> Iterator[Finding]:
    """Card numbers of all ranges: by their check digit, short ones only beside a word that says so."""
    for match in _CARD.finditer(text):
        digits = [int(char) for char in match.group() if char.isdigit()]
        doubled = [digit * 2 - 9 * (digit > 4) if place % 2 else digit for place, digit in enumerate(reversed(digits))]
        long = len(digits) >= 15
        if sum(doubled) % 10 == 0 and (long or _words(_near(text, *match.span())) & _CARD_WORDS):
            yield Finding(match.start(), match.end(), "CREDIT_CARD", SURE)


def _joined(found: Sequence[Finding]) -> list[Finding]:
    """Finds that overlap become one, of the kind of the surest: none of their characters stays."""
    joined: list[Finding] = []
    for finding in sorted(found, key=lambda f: (f.start, -f.end, f.kind)):
        if joined and finding.start < joined[-1].end:
            before = joined[-1]
            surest = max((before, finding), key=lambda f: (f.score, f.end - f.start))
            joined[-1] = Finding(before.start, max(before.end, finding.end), surest.kind, surest.score)
        else:
            joined.append(finding)
    return joined


def _score(kind: str, recognizer: "PatternRecognizer", value: str, score: float, near: str) -> float:
    """How sure a match is: by its check digits where it has some, and by the words beside it."""
    valid = recognizer.validate_result(value)
    if valid is False or recognizer.invalidate_result(value):
        return 0.0
    spoken = bool(_words(near) & {word.casefold() for phrase in recognizer.context or () for word in phrase.split()})
    if kind in BARE_NUMBERS:
        return SURE if spoken and valid is not False else 0.0
    if valid:
        return SURE
    return max(score, LIKELY) if spoken else score


def _near(text: str, start: int, end: int) -> str:
    return f"{text[max(0, start - CONTEXT_CHARS) : start]} {text[end : end + CONTEXT_CHARS // 2]}"


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))
