"""Tie each claim to source characters, whatever the draft said."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.grounding.agreement import disagreements, unheld, unknown_names
from app.grounding.sources import Sentence, Window, known_beside, windows
from app.grounding.support import probability, read
from app.types import Citation, Claim, Verdict
from retrieval.types import Passage
from retrieval.words import content_words

_MARK = re.compile(r"\s*\[\s*\d+(?:\s*[,;]\s*\d+)*\s*\]")
_REFUSAL = re.compile(
    r"^\W*(?:sorry\W+)?i\s+(?:do\s+not|don['’]t|cannot|can['’]t)\s+(?:know|answer|say|find|tell)", re.IGNORECASE
)
_CLAUSES = re.compile(r";\s+|\s[—–]\s|,\s+(?:and|but|while|whereas|although)\s+")
_WINDOW = 2
"""Up to so many neighbouring sentences are one span."""
_SPANS = 3
"""Up to so many spans carry one claim."""
_ADDS = 0.15
"""A further span must bring this share of the claim's words."""
_SHARES = 1 / 3
"""And hold this share of them in all, to be cited: one with less is about something else, and would only seem to
complete the claim."""
_SAME_SUBJECT = 0.6
"""A sentence that holds this share of a claim's words speaks of the same: if it disagrees, it contradicts."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one statement: the verdict, the claim where it is supported, and why it is not."""

    text: str
    verdict: Verdict
    claim: Claim | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Grounding:
    """Verifies claims against the passages of the turn. `min_support` is a probability."""

    min_support: float = 0.7

    def verify(self, text: str, passages: Sequence[Passage]) -> Claim | None:
        """The claim with the source spans that support it, or None where there are none."""
        return self.judge(text, passages).claim

    def parts(self, text: str, passages: Sequence[Passage]) -> list[Finding]:
        """What was found of a sentence: as a whole where that is supported, else of each of its clauses.

        A sentence of one clause, or one of which no clause is supported, is one finding.
        """
        whole = self.judge(text, passages)
        if whole.claim is not None:
            return [whole]
        found = [self.judge(clause, passages) for clause in _clauses(stated(text))]
        return found if any(finding.claim for finding in found) else [whole]

    def judge(self, text: str, passages: Sequence[Passage]) -> Finding:
        """The verdict on one statement.

        Supported: whole sentences of a passage are the claim, word for word; or up to three spans hold so much of it
        that the model of `app.grounding.support` gives it at least `min_support`, the sentence closest to it agrees in
        numbers, dates, units, negation and opposites, and each name stands in the spans or their titles. A span is
        the shortest run of up to two sentences that holds as much. Contradicted: the closest sentence is about the
        same and disagrees.
        """
        said = stated(text)
        words = frozenset(content_words(said))
        if not words or _REFUSAL.match(said):
            return Finding(said, Verdict.UNSUPPORTED, why="it states nothing")
        if same := _verbatim(said, passages):
            return Finding(said, Verdict.SUPPORTED, self._claim(said, [same], 1.0, passages))
        spans = spans_of(words, passages)
        if not spans:
            return Finding(said, Verdict.UNSUPPORTED, why="no source speaks of it")
        closest = closest_of(words, spans)
        carrying = [span for span in spans if span is spans[0] or _share(words, span.words) >= _SHARES]
        if refuted := _refuted(said, words, carrying, closest):
            return refuted
        support = round(probability(read(said, [span.text for span in spans], closest.text)), 4)
        if support >= self.min_support:
            return Finding(said, Verdict.SUPPORTED, self._claim(said, carrying, support, passages))
        verdict = Verdict.PARTLY if support >= self.min_support / 2 else Verdict.UNSUPPORTED
        return Finding(said, verdict, why="the sources do not say all of it")

    def _claim(self, said: str, spans: Sequence[Window], support: float, passages: Sequence[Passage]) -> Claim:
        conflicts = _conflicting(said, {span.passage.doc_id for span in spans}, passages)
        cited = tuple(_cite(span) for span in spans)
        return Claim(said, cited, support, conflicts=tuple(_cite(window) for window in conflicts))


def _refuted(said: str, words: frozenset[str], spans: Sequence[Window], closest: Sentence) -> Finding | None:
    """What words and numbers alone rule out."""
    beside = [q for span in spans[1:] for sentence in span.sentences for q in sentence.quantities]
    if wrong := disagreements(said, closest, beside):
        near = _share(words, closest.words) >= _SAME_SUBJECT
        verdict = Verdict.CONTRADICTED if near else Verdict.UNSUPPORTED
        return Finding(said, verdict, why="; ".join(wrong))
    known = known_beside([span.passage for span in spans]).union(*(span.words for span in spans))
    if names := unknown_names(said, known):
        return Finding(said, Verdict.UNSUPPORTED, why=f"the source does not name {', '.join(names)}")
    if lacking := unheld(said, [content_words(span.text) for span in spans]):
        return Finding(said, Verdict.PARTLY, why=lacking)
    return None


def stated(text: str) -> str:
    """What a draft says, without what it writes like a citation: that is only a hint."""
    return _MARK.sub("", text).strip()


def _clauses(text: str) -> list[str]:
    parts = [part.strip() for part in _CLAUSES.split(text)]
    return parts if len(parts) > 1 and all(len(content_words(part)) > 1 for part in parts) else []


def _verbatim(said: str, passages: Sequence[Passage]) -> Window | None:
    """Whole sentences, word for word; a part of one could say the opposite ("… never store passwords")."""
    wanted = _bare(said)
    for passage in passages:
        for window in windows(passage, _WINDOW):
            if _bare(window.text) == wanted:
                return window
    return None


def _bare(sentence: str) -> str:
    """A sentence without its final punctuation and with single spaces."""
    return " ".join(sentence.split()).rstrip(".!。！")


def spans_of(words: frozenset[str], passages: Sequence[Passage]) -> list[Window]:
    """The fewest spans that hold what can be held of a claim's words: the best first, then what each one adds."""
    candidates = [window for passage in passages for window in windows(passage, _WINDOW)]
    chosen: list[Window] = []
    left = words
    while candidates and left and len(chosen) < _SPANS:
        best = max(candidates, key=lambda window: len(left & window.words))  # the first, so the shortest, wins a tie
        gained = len(left & best.words) / len(words)
        if gained == 0 or (chosen and gained < _ADDS):
            break
        chosen.append(best)
        left -= best.words
    return chosen


def closest_of(words: frozenset[str], spans: Sequence[Window]) -> Sentence:
    """The sentence that shares most words that are no numbers: "7" of the next sentence is another 7."""
    said = frozenset(word for word in words if not word.isdigit()) or words
    return max((s for span in spans for s in span.sentences), key=lambda sentence: len(said & sentence.words))


def _conflicting(said: str, cited: set[str], passages: Sequence[Passage]) -> list[Window]:
    """Sentences of other documents that speak of the same and say otherwise."""
    words = frozenset(word for word in content_words(said) if not word.isdigit())
    found = []
    for passage in passages:
        if passage.doc_id in cited or not words:
            continue
        for window in windows(passage, 1):
            sentence = window.sentences[0]
            if _share(words, sentence.words) >= _CONFLICT and disagreements(said, sentence):
                found.append(window)
                break
    return found


_CONFLICT = 0.75


def _share(words: frozenset[str], source: frozenset[str]) -> float:
    return len(words & source) / len(words)


def _cite(window: Window) -> Citation:
    passage = window.passage
    start = passage.start + window.span.start
    place = passage.place_at(start)
    return Citation(
        doc_id=passage.doc_id,
        uri=passage.uri,
        title=passage.title,
        snapshot=passage.snapshot,
        start=start,
        end=passage.start + window.span.end,
        quote=window.text,
        quote_sha256=hashlib.sha256(window.text.encode()).hexdigest(),
        page=place.page,
        section=place.section,
    )
