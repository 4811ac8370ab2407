"""Takes personal data and secrets out of a text, as far as patterns can tell.

A stopgap: names, addresses and whatever else has no form of its own are not seen. `Scrub` is the port that a real
redactor takes the place of. When in doubt it takes out too much: a case can be put right by a person, a leak cannot.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator

Scrub = Callable[[str], str]
"""Gives a text back without what must not be kept."""

_EMAIL = re.compile(r"[\w.+%'-]+@[\w-]+(?:\.[\w-]+)+")
_URL_LOGIN = re.compile(r"(?<=://)[^\s/@]+:[^\s/@]+(?=@)")
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_KNOWN_KEY = re.compile(
    r"\b(?:sk-[\w-]{8,}|gh[pousr]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|xox[a-z]-[\w-]{8,}|AKIA[A-Z0-9]{12,}"
    r"|AIza[\w-]{20,}|assay_[\w-]{16,}|eyJ[\w-]+\.[\w-]+\.[\w-]*)"
)
_NAMED_SECRET = re.compile(
    r"\b(pass(?:word|wd|phrase)?|secret|token|api[_ -]?key|bearer|authorization)\b"
    r"(\s*(?:is\s*|[:=]\s*(?:bearer\s+)?)|\s+(?=\S*\d))[\"'`]?([^\s\"'`,;]{4,})",
    re.IGNORECASE,
)
_LONG_TOKEN = re.compile(r"(?<![\w/+-])(?=[\w+/-]*\d)(?=[\w+/-]*[A-Za-z])[\w+/-]{32,}={0,2}")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}\b", re.IGNORECASE)
_DIGITS = re.compile(r"(?<![\w.,])\d(?:[ -]?\d){12,18}(?![\w])")
_IPV4 = re.compile(r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:])(?=[^\s]*\d)[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?![\w:])", re.IGNORECASE)
_PHONE = re.compile(r"(?<![\w.,/-])(?:\+|00)?\(?\d{1,5}\)?(?:[ ./-]{0,2}\(?\d{1,5}\)?){1,6}(?![\w])")
_MIN_PHONE_DIGITS = 7
_MAX_PHONE_DIGITS = 15
_DATES = re.compile(r"\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])\d{1,2}\2\d{4}|(?:19|20)\d\d ?[-/] ?(?:19|20)\d\d")


def scrub(text: str) -> str:
    """Put [email], [phone], [iban], [card], [ip] or [secret] in the place of what looks like one."""
    text = _PEM.sub("[secret]", text)
    text = _URL_LOGIN.sub("[secret]", text)
    text = _KNOWN_KEY.sub("[secret]", text)
    text = _NAMED_SECRET.sub(lambda found: found[0] if "[" in found[3] else f"{found[1]}{found[2]}[secret]", text)
    text = _EMAIL.sub("[email]", text)
    text = _IBAN.sub(lambda found: _iban(found[0]), text)
    text = _LONG_TOKEN.sub("[secret]", text)
    text = _DIGITS.sub(lambda found: "[card]" if luhn(found[0]) else found[0], text)
    text = _IPV4.sub("[ip]", text)
    text = _IPV6.sub(lambda found: "[ip]" if _is_ipv6(found[0]) else found[0], text)
    return _PHONE.sub(lambda found: "[phone]" if _is_phone(found[0]) else found[0], text)


def luhn(number: str) -> bool:
    """Whether the last digit checks the others, as on payment cards (ISO/IEC 7812-1)."""
    digits = [int(character) for character in number if character.isdigit()]
    doubled = (2 * digit - 9 * (digit > 4) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _iban(found: str) -> str:
    """[iban] for the longest beginning that checks (ISO 13616: mod 97 is 1); what follows was only the next word."""
    for end in _ends(found):
        bare = re.sub(r"[ -]", "", found[:end]).upper()
        if int("".join(str(int(character, 36)) for character in bare[4:] + bare[:4])) % 97 == 1:
            return "[iban]" + found[end:]
    return found


def _ends(found: str) -> Iterator[int]:
    """The ends of words of a candidate, the furthest first, as long as an IBAN's 15 characters are left."""
    ends = [match.end() for match in re.finditer(r"[^ -]+", found)]
    return (end for end in reversed(ends) if len(re.sub(r"[ -]", "", found[:end])) >= 15)


def _is_ipv6(found: str) -> bool:
    """Whether it parses as one; what is as short as "a::b" may be a name in a program."""
    try:
        return len(found) > 5 and ipaddress.ip_address(found).version == 6
    except ValueError:
        return False


def _is_phone(found: str) -> bool:
    """Enough digits, and parted or prefixed as people write numbers to call; dates and years are none."""
    digits = sum(character.isdigit() for character in found)
    if not _MIN_PHONE_DIGITS <= digits <= _MAX_PHONE_DIGITS or _DATES.fullmatch(found.strip()):
        return False
    return found[0] in "+0(" or bool(re.search(r"\d[ ./()-]+\d", found))
