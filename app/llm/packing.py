"""Fits passages into a bound of tokens: the sentences that are worth most for their length stay, in reading order."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from app.sentences import Span, sentences
from app.tokens import count_tokens
from retrieval.types import Passage
from retrieval.words import content_words

GAP = " … "
"""Stands where sentences were left out."""
_LEAST_VALUE = 0.1
"""Of a sentence that shares no word with the question: it may still be what the others talk about."""


@dataclass(frozen=True, slots=True)
class _Sentence:
    passage: int
    span: Span
    tokens: int
    value: float


def pack(question: str, passages: Sequence[Passage], room: int, per_passage: int = 0) -> tuple[Passage, ...]:
    """The passages with what fits into `room` tokens; as they are where all fit.

    Args:
        question: What the sentences should be of use for.
        passages: Best first. The first one always stays, with its best sentence, of which at least a part is kept.
        room: Tokens for all texts and what stands around them.
        per_passage: Tokens of what stands around one passage, besides its title.

    Returns:
        All passages, in order; one that is left out has no text, so that the others keep their numbers. The text of a
        shortened one is no longer `canonical_text[start:end]`: it is for a prompt, and claims are verified against the
        whole passages.
    """
    frames = [per_passage + count_tokens(passage.title) for passage in passages]
    if sum(frames) + sum(count_tokens(passage.text) for passage in passages) <= room:
        return tuple(passages)
    if not passages:
        return ()
    candidates = _candidates(question, passages)
    ranked = sorted(candidates, key=lambda s: (-s.value / max(1, s.tokens), s.passage, s.span.start))
    best = max((s for s in candidates if s.passage == 0), key=lambda s: (s.value, -s.span.start), default=None)
    if best is None or frames[0] + best.tokens > room:
        text = passages[0].text if best is None else _text(passages[0], best)
        cut = replace(passages[0], text=clip(text, max(1, room - frames[0])))
        return (cut, *(replace(passage, text="") for passage in passages[1:]))
    gap = count_tokens(GAP) + 1
    kept, left = {best}, room - frames[0] - best.tokens
    opened = {0}
    for sentence in ranked:
        cost = sentence.tokens + gap + (0 if sentence.passage in opened else frames[sentence.passage])
        if sentence in kept or cost > left:
            continue
        kept.add(sentence)
        opened.add(sentence.passage)
        left -= cost
    return tuple(_shortened(p, [s for s in kept if s.passage == number]) for number, p in enumerate(passages))


def clip(text: str, tokens: int) -> str:
    """The longest beginning of a text that has at most so many tokens."""
    if count_tokens(text) <= tokens:
        return text
    low, high = 0, min(len(text), tokens * 32)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count_tokens(text[:middle]) <= tokens else (low, middle - 1)
    return text[:low]


def _candidates(question: str, passages: Sequence[Passage]) -> list[_Sentence]:
    spans = [sentences(passage.text) for passage in passages]
    words = [[set(content_words(p.text[s.start : s.end])) for s in of] for p, of in zip(passages, spans, strict=True)]
    rarity = _rarity([said for of in words for said in of])
    asked = set(content_words(question))
    total = sum(rarity.get(word, 0.0) for word in asked) or 1.0
    top = max((passage.score for passage in passages), default=0.0) or 1.0
    found = []
    for number, passage in enumerate(passages):
        for span, said in zip(spans[number], words[number], strict=True):
            shared = sum(rarity[word] for word in asked & said) / total
            value = max(0.01, passage.score / top) * (_LEAST_VALUE + shared)
            found.append(_Sentence(number, span, count_tokens(passage.text[span.start : span.end]), value))
    return found


def _rarity(said: Sequence[set[str]]) -> Mapping[str, float]:
    """Inverse sentence frequency of each word."""
    counts = Counter(word for words in said for word in words)
    return {word: math.log(1 + len(said) / count) for word, count in counts.items()}


def _shortened(passage: Passage, kept: Sequence[_Sentence]) -> Passage:
    """The kept sentences in reading order; what stood together still does, with the white space between."""
    parts: list[str] = []
    end = 0
    for sentence in sorted(kept, key=lambda s: s.span.start):
        between = passage.text[end : sentence.span.start]
        if between.strip():
            parts.append(GAP if parts else GAP.lstrip())
        elif parts:
            parts.append("\n" if "\n" in between else " ")
        parts.append(_text(passage, sentence))
        end = sentence.span.end
    if parts and passage.text[end:].strip():
        parts.append(GAP.rstrip())
    return replace(passage, text="".join(parts))


def _text(passage: Passage, sentence: _Sentence) -> str:
    return passage.text[sentence.span.start : sentence.span.end]
