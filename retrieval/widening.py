"""A found passage with what stands around it: small chunks are found best, larger ones are answered from best."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from retrieval.types import Document, Passage

ReadDocument = Callable[[str, str], Document]
"""The document of (doc_id, version)."""


@dataclass(frozen=True, slots=True)
class Span:
    """text[start:end] of a canonical text."""

    start: int
    end: int

    def holds(self, other: "Span") -> bool:
        """Whether the other lies inside."""
        return self.start <= other.start and other.end <= self.end


def widen(passages: Sequence[Passage], documents: Sequence[Document], max_chars: int) -> list[Passage]:
    """Each passage grown to the sections it stands in, line by line, after it and before it in turn.

    Args:
        passages: Best first.
        documents: The document of each passage.
        max_chars: Up to which a passage grows; a longer one stays as it is.

    Returns:
        The passages in their order, without those that a better one has come to hold.
    """
    grown: list[Passage] = []
    for passage, document in zip(passages, documents, strict=True):
        wide = _grown(Span(passage.start, passage.end), document, max_chars)
        others = (Span(other.start, other.end) for other in grown if other.doc_id == passage.doc_id)
        if not any(other.holds(Span(passage.start, passage.end)) for other in others):
            grown.append(_at(passage, document, wide))
    return grown


def _grown(span: Span, document: Document, max_chars: int) -> Span:
    text, bounds = document.parsed.text, _sections(span, document)
    after = before = True
    while after or before:
        if after:
            end = min(_next_line(text, span.end), bounds.end)
            after = span.end < end and end - span.start <= max_chars
            span = Span(span.start, end) if after else span
        if before:
            start = max(_line_before(text, span.start), bounds.start)
            before = start < span.start and span.end - start <= max_chars
            span = Span(start, span.end) if before else span
    return _trimmed(text, span)


def _sections(span: Span, document: Document) -> Span:
    """From the heading above the passage to the first heading behind it."""
    heads = [section.start for section in document.parsed.sections]
    start = max((head for head in heads if head <= span.start), default=0)
    return Span(start, min((head for head in heads if head >= span.end), default=len(document.parsed.text)))


def _next_line(text: str, at: int) -> int:
    """The end of the next line that says something."""
    while at < len(text) and text[at].isspace():
        at += 1
    found = text.find("\n", at)
    return len(text) if found < 0 else found


def _line_before(text: str, at: int) -> int:
    """The start of the line before that says something."""
    while at > 0 and text[at - 1].isspace():
        at -= 1
    return text.rfind("\n", 0, at) + 1


def _trimmed(text: str, span: Span) -> Span:
    inside = text[span.start : span.end]
    return Span(span.start + len(inside) - len(inside.lstrip()), span.end - (len(inside) - len(inside.rstrip())))


def _at(passage: Passage, document: Document, span: Span) -> Passage:
    return replace(
        passage,
        start=span.start,
        end=span.end,
        text=document.parsed.text[span.start : span.end],
        page=document.page_at(span.start),
        section=document.section_at(span.start),
        places=document.places(span.start, span.end),
    )
