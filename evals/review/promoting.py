"""Reads turns, writes cases and drafts: what `evals promote` does around the rules."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from app.bootstrap import Services
from app.store.turns import StoredTurn
from evals.golden.cases import Quote, load_cases
from evals.golden.sets import GoldenSet, load_golden_set
from evals.review.audit import act
from evals.review.drafts import DraftBox
from evals.review.edits import record, recover
from evals.review.evidence import check_evidence, text_by_uri
from evals.review.promotion import Candidate, Wish, admit, draft_of
from evals.review.scrub import Scrub, scrub
from evals.running.corpus import ready_corpus
from evals.running.evidence import SnapshotTexts
from retrieval.errors import RetrievalError


def weigh(
    services: Services, root: Path, set_name: str, turns: Sequence[StoredTurn], wish: Wish, clean: Scrub = scrub
) -> list[Candidate]:
    """What would become of each turn. Writes nothing but what a crash left unfinished.

    Args:
        services: That hold the turns and the documents that they cite.
        root: The folder of the golden sets.
        set_name: The set that they are to join.
        turns: To promote.
        wish: What a person says of them.
        clean: Takes personal data out.

    Raises:
        GoldenSetError: There is no such set.
        EvidenceError: A quote that a person gave does not stand in the documents of the set.
    """
    golden = load_golden_set(root, set_name)
    recover(golden.folder)
    today = datetime.now(UTC).date()
    found = [draft_of(turn, wish, _cited(services, turn), clean, today) for turn in turns]
    finished = {one.draft.id for one in found if one.draft and one.complete}
    drafts = [draft for draft in DraftBox(services.settings.home, set_name).all() if draft.id not in finished]
    judged = admit(found, load_cases(golden.folder / "cases.jsonl"), drafts)
    ready = [one.case() for one in judged if one.complete and not one.refused]
    if any(case.gold.evidence for case in ready):
        texts = ready_corpus(services, golden, None)
        for case in ready:
            check_evidence(case, lambda uri: text_by_uri(texts, uri))
    return judged


def carry_out(home: Path, root: Path, set_name: str, accepted: Sequence[Candidate], who: str) -> None:
    """Write cases into the set and drafts into the home.

    Raises:
        GoldenSetError: A case cannot be written; those before it are.
    """
    box = DraftBox(home, set_name)
    for one in accepted:
        if one.complete:
            record(root / set_name, act(who, "promote", None, one.case(), turn_id=one.turn_id))
            box.remove(one.case().id)
    box.add([one.draft for one in accepted if one.draft is not None and not one.complete])


def texts_of(services: Services, golden: GoldenSet, snapshot: str | None) -> SnapshotTexts | None:
    """The documents of a golden set in a snapshot, or in the one that serves; None where the home lacks them."""
    try:
        found = snapshot or services.corpora.active(golden.corpus)
        services.corpora.snapshot(golden.corpus, found)
        return SnapshotTexts(services.corpora, services.reader, golden.corpus, found)
    except RetrievalError:
        return None


def _cited(services: Services, turn: StoredTurn) -> list[Quote]:
    """What a turn cited, in the documents' words; what is gone since is left out."""
    quotes = []
    for doc_id, start, end in turn.citations:
        try:
            _, version = services.corpora.version_in(doc_id, turn.snapshot)
            document = services.reader.document(doc_id, version)
        except RetrievalError:
            continue
        text = document.parsed.text[start:end]
        if text.strip():
            quotes.append(Quote(uri=document.uri, quote=text))
    return list(dict.fromkeys(quotes))
