"""Spans of a canonical text under a token budget. The only door to LlamaIndex's node parsers."""

from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import pairwise
from typing import Any

from retrieval.types import Chunk, Document

CHUNKER = "sections+llama-sentence-splitter/2"
"""Part of every snapshot id. Change it whenever the same text would be cut differently."""

CHARS_PER_TOKEN = 8
"""English has between 4 and 5; text above 8 is no prose."""

Span = tuple[int, int]


class Chunker:
    """Packs whole sections into a chunk while they fit; cuts a longer section between its sentences.

    Chunks of a document tile its text: in order, disjoint, and only white space lies between them.
    """

    def __init__(self, max_tokens: int, count_tokens: Callable[[str], int], context_tokens: int = 48) -> None:
        """Chunks hold at most `max_tokens`; their context (title and headings) at most `context_tokens`."""
        self.fingerprint = f"{CHUNKER}/{max_tokens}/{context_tokens}"
        self._max_tokens = max_tokens
        self._context_tokens = context_tokens
        self._count = count_tokens

    @cached_property
    def _splitter(self) -> Any:
        """Made at the first text that needs cutting: LlamaIndex takes seconds to import."""
        from llama_index.core.node_parser import SentenceSplitter

        return SentenceSplitter(
            chunk_size=self._max_tokens,
            chunk_overlap=0,
            paragraph_separator="\n\n",
            # The splitter only ever takes the length of what its tokenizer returns.
            tokenizer=lambda text: range(self._count(text)),
        )

    def chunk(self, document: Document) -> list[Chunk]:
        """Cut a document. Offsets are exact: `chunk.text == document.parsed.text[chunk.start:chunk.end]`."""
        text = document.parsed.text
        return [
            Chunk(document.doc_id, document.version, start, end, text[start:end], self._context(document, start))
            for start, end in self.spans(text, [section.start for section in document.parsed.sections])
        ]

    def spans(self, text: str, heads: list[int]) -> list[Span]:
        """Cut `text`, preferring to cut at `heads` (ascending offsets of headings)."""
        spans: list[Span] = []
        for start, end, tokens in self._packed(text, heads):
            inner = self._cuts(text[start:end], start) if tokens > self._max_tokens else ()
            cuts = self._capped([start, *inner, end])
            spans += [trimmed for a, b in pairwise(cuts) if (trimmed := _trim(text, a, b))]
        return spans

    def _capped(self, cuts: list[int]) -> list[int]:
        """Cut on where a piece is very long in characters: to the model, a word of a million letters is one token."""
        ceiling = CHARS_PER_TOKEN * self._max_tokens
        return [at for a, b in pairwise(cuts) for at in range(a, b, ceiling)] + cuts[-1:]

    def _packed(self, text: str, heads: list[int]) -> Iterator[tuple[int, int, int]]:
        """Neighbouring sections, together as long as they fit the budget: (start, end, tokens)."""
        bounds = [0, *(head for head in heads if 0 < head < len(text)), len(text)]
        start, used = 0, 0
        for a, b in pairwise(bounds):
            tokens = self._count(text[a:b])
            if a > start and used + tokens > self._max_tokens:
                yield start, a, used
                start, used = a, 0
            used += tokens
        yield start, len(text), used

    def _cuts(self, text: str, offset: int) -> Iterator[int]:
        """Where the sentence splitter would begin its second and further pieces."""
        cursor = 0
        for number, piece in enumerate(self._splitter.split_text(text)):
            at = text.find(piece.strip(), cursor)
            if at < 0:  # the splitter normalised something away: keep the text whole rather than lose a character
                continue
            if number:
                yield offset + at
            cursor = at + len(piece.strip())

    def _context(self, document: Document, start: int) -> str:
        """Title and heading path, cut to the budget from the left: the nearest heading says most."""
        parts = [document.title, *(document.section_at(start) or "").split(" > ")]
        unique = [part for i, part in enumerate(parts) if part and part not in parts[:i]]
        while len(unique) > 1 and self._count(" > ".join(unique)) > self._context_tokens:
            unique.pop(0)
        context = " > ".join(unique)
        return context if self._count(context) <= self._context_tokens else ""


def _trim(text: str, start: int, end: int) -> Span | None:
    """The span without surrounding white space, or None if nothing is left."""
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    end -= len(piece) - len(piece.rstrip())
    return (start, end) if start < end else None
