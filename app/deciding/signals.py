"""What speaks for and against an answer: a fixed list of numbers for a question and what was read for it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

from app.deciding.asks import kind_of, numbers, shows
from app.reading import Reading, rarity, shared
from retrieval.types import Passage
from retrieval.words import content_words

_LOGIT_BOUND = 3.0


@dataclass(frozen=True, slots=True)
class Signals:
    """All about [0, 1], but cosines, in [-1, 1], and logits, in [-3, 3]."""

    pair_best: float
    """Logit of the cross-encoder's best sentence; its second and third best, and its best passage."""
    pair_next: float
    pair_passage: float
    cosine_best: float
    """Of the sentence that means most like the question; of the one that the cross-encoder likes best."""
    cosine_chosen: float
    passage_cosine: float
    overlap_best: float
    """The rarity-weighted share of the question's words in one sentence; in one passage with its title."""
    coverage: float
    beyond_title: float
    """Share of the question's words that its title lacks, which the chosen sentence holds."""
    rarest: float
    """1 where the passages hold the question's rarest word."""
    numbers_held: float
    kind_shown: float
    """1 where the chosen sentence holds something of the kind that is asked for, 0 where not, .5 where none is."""
    lead: float
    """1 where the chosen sentence opens its passage."""
    length: float
    """Words of the question."""
    factoid: float
    """1 where a person, time, place or number is asked for."""
    gap: float
    """How far the best passage's score is above the next one's; 0 where there is none."""
    agreement: float
    """Share of the parts of the search that put the best passage first; 1 where no part says."""


NAMES = tuple(field.name for field in fields(Signals))


def signals(reading: Reading) -> Signals:
    """The signals of a reading that has at least one sentence."""
    question, passages = reading.question, reading.passages
    words = set(content_words(question))
    pairs = sorted((c.pair for c in reading.candidates if c.pair is not None), reverse=True)
    chosen = max(reading.candidates, key=lambda c: (c.pair or 0.0, c.score))
    home = passages[chosen.passage]
    kind = kind_of(question)
    shown = shows(kind, chosen.text)
    weights = rarity([c.text for c in reading.candidates])
    held = set(content_words(" ".join(f"{p.title} {p.text}" for p in passages[:3])))
    rest = words - set(content_words(home.title))
    asked = numbers(question)
    return Signals(
        pair_best=_logit(pairs[0] if pairs else 0.5),
        pair_next=_logit(sum(pairs[1:3]) / len(pairs[1:3]) if pairs[1:] else 0.0),
        pair_passage=_logit(max(reading.passage_pairs.values(), default=0.5)),
        cosine_best=max(c.cosine for c in reading.candidates),
        cosine_chosen=chosen.cosine,
        passage_cosine=max(reading.passage_cosines, default=0.0),
        overlap_best=max(c.overlap for c in reading.candidates),
        coverage=max(shared(question, f"{p.title} {p.section or ''} {p.text}", weights) for p in passages[:3]),
        beyond_title=len(rest & set(content_words(chosen.text))) / len(rest) if rest else 1.0,
        rarest=float(not words or max(sorted(words), key=lambda w: weights.get(w, math.inf)) in held),
        numbers_held=len(asked & numbers(" ".join(p.text for p in passages[:3]))) / len(asked) if asked else 1.0,
        kind_shown=0.5 if shown is None else float(shown),
        lead=float(chosen.order == 0),
        length=min(1.0, len(question.split()) / 20),
        factoid=float(kind in ("person", "time", "place", "number")),
        gap=passages[0].score - passages[1].score if len(passages) > 1 else 0.0,
        agreement=_agreement(passages),
    )


def _agreement(passages: Sequence[Passage]) -> float:
    parts = passages[0].parts
    first = [all(score >= p.parts.get(name, score) for p in passages[1:]) for name, score in parts.items()]
    return sum(first) / len(first) if first else 1.0


def _logit(probability: float) -> float:
    bounded = min(max(probability, 1e-6), 1 - 1e-6)
    return min(max(math.log(bounded / (1 - bounded)), -_LOGIT_BOUND), _LOGIT_BOUND)
