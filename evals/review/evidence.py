"""Gold evidence beside what was retrieved: which passage holds which characters."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.types import ChatResult, Citation
from evals.errors import EvidenceError
from evals.golden.cases import Case, Quote
from evals.running.evidence import SnapshotTexts, find
from retrieval.types import Passage

CONTEXT_CHARS = 320


@dataclass(frozen=True, slots=True)
class Piece:
    """Some characters that are shown alike: plain, gold evidence, cited by the answer, or both."""

    text: str
    gold: bool = False
    cited: bool = False


@dataclass(frozen=True, slots=True)
class GoldView:
    """A gold quote in its surroundings. `found_in` holds the ranks of the passages that hold a part of it, from 1."""

    uri: str
    pieces: tuple[Piece, ...]
    place: str
    found_in: tuple[int, ...]
    whole: bool
    """Whether the passages hold all of it."""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class PassageView:
    """A retrieved passage, as one run saw it."""

    rank: int
    passage: Passage
    pieces: tuple[Piece, ...]
    place: str
    gold: bool


def gold_views(case: Case, result: ChatResult | None, texts: SnapshotTexts | None) -> list[GoldView]:
    """Each gold quote of a case, and where among the passages it is.

    Args:
        case: With its gold.
        result: Of the run that is looked at; None where the turn failed.
        texts: The documents of that run; None where this home does not hold them.
    """
    passages = result.passages if result else ()
    return [_gold_view(quote, passages, texts) for quote in case.gold.evidence]


def passage_views(case: Case, result: ChatResult, texts: SnapshotTexts | None) -> list[PassageView]:
    """The passages of a turn, with the gold evidence and the cited characters marked."""
    cited = [citation for claim in result.claims for citation in claim.citations]
    views = []
    for rank, passage in enumerate(result.passages, start=1):
        gold = _gold_in(passage, case.gold.evidence, texts)
        marks = [(c.start - passage.start, c.end - passage.start) for c in cited if _within(c, passage)]
        pieces = cut(passage.text, gold, marks)
        views.append(PassageView(rank, passage, pieces, _place(passage.page, passage.section), bool(gold)))
    return views


def cut(text: str, gold: Sequence[tuple[int, int]], cited: Sequence[tuple[int, int]] = ()) -> tuple[Piece, ...]:
    """A text in pieces at the bounds of spans, which may lie across each other and beyond the text."""
    bounds = {0, len(text)}
    for start, end in (*gold, *cited):
        bounds |= {min(max(start, 0), len(text)), min(max(end, 0), len(text))}
    ordered = sorted(bounds)

    def covered(spans: Sequence[tuple[int, int]], start: int, end: int) -> bool:
        return any(one <= start and end <= other for one, other in spans)

    return tuple(
        Piece(text[start:end], covered(gold, start, end), covered(cited, start, end))
        for start, end in pairwise(ordered)
    )


def check_evidence(case: Case, text_of: Callable[[str], str | None]) -> None:
    """Whether each gold quote stands in its document, once.

    Args:
        case: To check.
        text_of: The canonical text of a document by its uri; None where there is no such document.

    Raises:
        EvidenceError: One does not; the message says which and what to do.
    """
    for quote in case.gold.evidence:
        text = text_of(quote.uri)
        if text is None:
            raise EvidenceError(f"There is no document '{quote.uri}'.")
        places = len(find(quote.quote, text))
        if places != 1:
            how = f"stands in {places} places: quote more of it" if places else "does not stand there"
            raise EvidenceError(f"The quote from '{quote.uri}' {how}: \"{quote.quote}\"")


def _gold_view(quote: Quote, passages: Sequence[Passage], texts: SnapshotTexts | None) -> GoldView:
    text = text_by_uri(texts, quote.uri) if texts else None
    spans = find(quote.quote, text) if text is not None else []
    same = [(rank, one) for rank, one in enumerate(passages, 1) if one.uri == quote.uri]
    if text is None or len(spans) != 1:
        held = tuple(rank for rank, one in same if find(quote.quote, one.text))
        problem = (
            "This home does not hold the documents of the run: the quote stands without its surroundings."
            if texts is None
            else "There is no such document in the snapshot of the run."
            if text is None
            else f"It stands in {len(spans)} places of the document, not in one."
        )
        return GoldView(quote.uri, (Piece(quote.quote, gold=True),), "", held, bool(held), problem)
    start, end = spans[0]
    ranked = [(rank, one) for rank, one in same if one.start < end and start < one.end]
    left = set(range(start, end)) - {at for _, one in ranked for at in range(one.start, one.end)}
    pieces = _in_context(text, start, end)
    place = _place(ranked[0][1].page, ranked[0][1].section) if ranked else ""
    whole = bool(ranked) and all(text[at].isspace() for at in left)
    return GoldView(quote.uri, pieces, place, tuple(rank for rank, _ in ranked), whole)


def _in_context(text: str, start: int, end: int) -> tuple[Piece, ...]:
    """A span with what stands around it, cut between words."""
    before, after = text[max(0, start - CONTEXT_CHARS) : start], text[end : end + CONTEXT_CHARS]
    if len(before) < start:
        before = "… " + before.partition(" ")[2]
    if end + len(after) < len(text):
        after = after.rpartition(" ")[0] + " …"
    pieces = (Piece(before), Piece(text[start:end], gold=True), Piece(after))
    return tuple(piece for piece in pieces if piece.text)


def text_by_uri(texts: SnapshotTexts, uri: str) -> str | None:
    """The canonical text of a document of a snapshot."""
    doc_id = texts.doc_ids.get(uri)
    return texts.text_of(doc_id) if doc_id is not None else None


def _gold_in(passage: Passage, evidence: Sequence[Quote], texts: SnapshotTexts | None) -> list[tuple[int, int]]:
    """Where a passage holds gold quotes, counted from its first character; a part of one where the text is known."""
    text = text_by_uri(texts, passage.uri) if texts else None
    spans: list[tuple[int, int]] = []
    for quote in evidence:
        if quote.uri != passage.uri:
            continue
        if text is None:
            spans += find(quote.quote, passage.text)
        else:
            shifted = [(start - passage.start, end - passage.start) for start, end in find(quote.quote, text)]
            spans += [(start, end) for start, end in shifted if start < len(passage.text) and end > 0]
    return spans


def _within(citation: Citation, passage: Passage) -> bool:
    return citation.doc_id == passage.doc_id and citation.start < passage.end and passage.start < citation.end


def _place(page: str | None, section: str | None) -> str:
    return " · ".join(part for part in (f"page {page}" if page else "", section or "") if part)
