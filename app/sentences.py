"""Sentences with exact offsets. The only door to sentencex."""

from functools import lru_cache
from typing import NamedTuple


class Span(NamedTuple):
    """text[start:end], end exclusive."""

    start: int
    end: int


@lru_cache(maxsize=4096)
def sentences(text: str, language: str = "en") -> tuple[Span, ...]:
    """The sentences of `text` without surrounding white space, in order. A line break always ends one."""
    from sentencex import get_sentence_boundaries

    spans: list[Span] = []
    offset = 0
    for line in text.split("\n"):
        if line.strip():
            for found in get_sentence_boundaries(language, line):
                piece = line[found["start_index"] : found["end_index"]]
                start = offset + found["start_index"] + len(piece) - len(piece.lstrip())
                end = start + len(piece.strip())
                if start < end:
                    spans.append(Span(start, end))
        offset += len(line) + 1
    return tuple(spans)
