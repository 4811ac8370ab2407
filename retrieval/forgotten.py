"""What was erased stays out: the look at every file that an ingest is about to take in."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from retrieval.ids import digest
from retrieval.store.rows import Member
from retrieval.store.tombstones import Watch
from retrieval.types import Document, Labels, Quarantined

Watcher = Callable[[str], Watch]
"""Gives the tombstones that count for a corpus."""


def nothing_forgotten(corpus: str) -> Watch:
    """A watcher for a home from which nothing was erased."""
    return Watch((), lambda said: "")


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Says of files of a corpus whether they were erased. Receipts are named, "" where a file may come in."""

    corpus: str
    watch: Watch

    def document(self, document: Document, labels: Labels) -> str:
        """The receipt that keeps a parsed document out."""
        parsed = document.parsed
        titles = (section.title for section in parsed.sections)
        pages = (page.label for page in parsed.pages)
        return self.watch.document(document.doc_id, document.sha256) or self.watch.text(
            document.uri, document.title, _said(labels), parsed.text, *titles, *pages
        )

    def labels(self, known: Member, now: Labels) -> str:
        """The receipt that new labels of a known document touch."""
        return self.watch.text(_said(now)) if now != known.labels else ""

    def masked(self, row: Quarantined) -> Quarantined:
        """A quarantine row whose uri or detail does not repeat what was erased."""
        doc_id = digest(f"{self.corpus}\0{row.uri}")
        if receipt := self.watch.document(doc_id, "") or self.watch.text(row.uri, row.detail):
            return replace(row, uri=f"forgotten:{doc_id}", detail=f"Erased under the receipt {receipt}.")
        return row


def _said(labels: Labels) -> str:
    return json.dumps(asdict(labels), ensure_ascii=False)
