"""How probable it is that spans support a claim: a logistic model over what words, quantities and polarity agree in."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files

from app.grounding.agreement import opposites, unknown_names
from app.grounding.quantities import missing, quantities
from app.grounding.sources import negated, sentences_of
from retrieval.words import content_words, words

_SELF = frozenset("i im ive me my mine you your we us our ve".split())
_GRAM = 4

Entails = Callable[[str, str], float]
"""How far a text says a claim, in [0, 1], by a model that reads both: (claim, text) -> score."""


@dataclass(frozen=True, slots=True)
class Features:
    """What speaks for a claim and against it. Shares are in [0, 1]."""

    words_held: float
    """Share of the claim's content words that the spans hold."""
    closest_held: float
    """The same of the closest sentence alone."""
    pairs_held: float
    """Share of the claim's pairs of neighbouring words."""
    grams_held: float
    """Share of the claim's 4-grams of characters: forms of one word have most of them in common."""
    run_held: float
    """The longest run of words that both have, as a share of the claim."""
    quantities_missing: float
    names_missing: float
    polarity_differs: float
    opposites: float
    about_itself: float
    """Share of words such as "I" and "you": what a speaker thinks stands in no source."""
    asks: float
    entailed: float = 0.0
    """What a model that reads both says; 0 where there is none."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Of the logistic model over `Features`, in their order."""

    intercept: float
    weights: tuple[float, ...]


def read(claim: str, spans: Sequence[str], closest: str, entails: Entails | None = None) -> Features:
    """Compare a claim with the spans that hold most of its words; `closest` is the sentence of them most like it."""
    source = " ".join(spans)
    said, stems = words(claim), frozenset(content_words(claim))
    source_words, source_stems = words(source), frozenset(content_words(source))
    near = sentences_of(closest)
    against = opposites(claim, near[0]) if near else []
    return Features(
        words_held=_share(stems, source_stems),
        closest_held=_share(stems, frozenset(content_words(closest))),
        pairs_held=_share(_grams(said, 2), _grams(source_words, 2)),
        grams_held=_share(_grams(_plain(claim), _GRAM), _grams(_plain(source), _GRAM)),
        run_held=_longest_run(said, source_words) / max(1, len(said)),
        quantities_missing=float(len(missing(quantities(claim), quantities(source)))),
        names_missing=float(len(unknown_names(claim, source_stems))),
        polarity_differs=float(negated(claim) != negated(closest)),
        opposites=float(len(against)),
        about_itself=sum(word in _SELF for word in said) / max(1, len(said)),
        asks=float("?" in claim),
        entailed=entails(claim, source) if entails else 0.0,
    )


def probability(features: Features, weights: Weights | None = None) -> float:
    """The probability that the spans support the claim, by the shipped weights where no others are given."""
    chosen = weights or shipped()["read" if features.entailed else "words"]
    total = chosen.intercept + sum(w * x for w, x in zip(chosen.weights, values(features), strict=True))
    return 1 / (1 + math.exp(-total))


def values(features: Features) -> tuple[float, ...]:
    """The features as numbers, in their order."""
    return tuple(float(getattr(features, field.name)) for field in fields(Features))


@cache
def shipped() -> Mapping[str, Weights]:
    """The weights that come along: with a model that reads both texts (`read`), and without (`words`)."""
    data = json.loads(files("app.grounding").joinpath("support.json").read_text("utf-8"))
    return {name: Weights(row["intercept"], tuple(row["weights"])) for name, row in data["models"].items()}


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.lower())


def _grams(items: Sequence[str], size: int) -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(items[i : i + size]) for i in range(len(items) - size + 1))


def _share(part: frozenset[object] | frozenset[str], whole: frozenset[object] | frozenset[str]) -> float:
    return len(part & whole) / len(part) if part else 0.0


def _longest_run(a: Sequence[str], b: Sequence[str]) -> int:
    """The length of the longest run of words that stands in both: a dynamic programme over pairs of equal words."""
    places: dict[str, list[int]] = {}
    for j, word in enumerate(b):
        places.setdefault(word, []).append(j)
    best = 0
    ending: dict[int, int] = {}
    for word in a:
        ending = {j: ending.get(j - 1, 0) + 1 for j in places.get(word, ())}
        best = max(best, *ending.values(), 0) if ending else best
    return best
