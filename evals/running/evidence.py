"""Gold evidence, from quotes to characters of the snapshot's canonical texts."""

import re
from collections.abc import Mapping

from evals.errors import EvidenceError
from evals.golden.cases import Case, Quote
from evals.types import Evidence, GoldSpan
from retrieval.reader import Reader
from retrieval.store.corpus import CorpusStore


class SnapshotTexts:
    """The canonical texts of one snapshot, read as they are asked for."""

    def __init__(self, store: CorpusStore, reader: Reader, corpus: str, snapshot: str) -> None:
        self.snapshot = snapshot
        members = store.members(corpus, snapshot)
        self._reader = reader
        self._versions = {member.doc_id: member.version for member in members}
        self.doc_ids: Mapping[str, str] = {member.uri: member.doc_id for member in members}

    def text_of(self, doc_id: str) -> str | None:
        """The canonical text of a document, or None where the snapshot has no such document."""
        version = self._versions.get(doc_id)
        return self._reader.document(doc_id, version).parsed.text if version is not None else None


def resolve(case: Case, texts: SnapshotTexts) -> Evidence:
    """Find the gold evidence of a case.

    Raises:
        EvidenceError: A quote stands nowhere in its document, or in several places.
    """
    return Evidence(tuple(_span(case, quote, texts) for quote in case.gold.evidence), texts.text_of)


def _span(case: Case, quote: Quote, texts: SnapshotTexts) -> GoldSpan:
    doc_id = texts.doc_ids.get(quote.uri)
    text = texts.text_of(doc_id) if doc_id is not None else None
    if doc_id is None or text is None:
        raise EvidenceError(f"Case {case.id}: there is no document '{quote.uri}' in snapshot {texts.snapshot}.")
    found = find(quote.quote, text)
    if len(found) != 1:
        how = f"stands in {len(found)} places; quote more of it" if found else "does not stand there"
        raise EvidenceError(f"Case {case.id}: evidence in '{quote.uri}' {how}: \"{quote.quote}\"")
    return GoldSpan(doc_id, quote.uri, *found[0])


def find(quote: str, text: str) -> list[tuple[int, int]]:
    """All (start, end) of a quote in a text: exactly as it stands, else with any white space between its words."""
    if (start := text.find(quote)) >= 0:
        found = []
        while start >= 0:
            found.append((start, start + len(quote)))
            start = text.find(quote, start + len(quote))
        return found
    return [match.span() for match in re.finditer(r"\s+".join(map(re.escape, quote.split())), text)]
