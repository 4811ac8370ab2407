"""Production turns that become cases: scrubbed, not asked before, and on the right side of the split."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from app.store.turns import StoredTurn
from evals.errors import GoldenSetError
from evals.golden.cases import Action, Case, Gold, Kind, Quote
from evals.golden.near import NEAR, asked, near_pairs
from evals.review.drafts import Draft
from evals.review.scrub import Scrub

KIND_OF: dict[Action, Kind] = {
    "answer": "answerable",
    "abstain": "unanswerable",
    "clarify": "underspecified",
    "refuse": "policy",
    "redact": "pii",
}
"""The kind that goes with an action, where nobody names another."""
SLICE = "production"
"""Cases that came from production have this slice, so that they can be looked at by themselves."""
_MAX_SUGGESTED = 3


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person says of the case to be. `answers` and `quotes` are confirmed; without them the turn suggests."""

    action: Action = "answer"
    kind: Kind | None = None
    question: str | None = None
    answers: tuple[str, ...] = ()
    quotes: tuple[Quote, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether it is enough for a case, not only for a draft."""
        return self.action != "answer" or bool(self.answers and self.quotes)


@dataclass(frozen=True, slots=True)
class Candidate:
    """What would become of a turn; `refused` says why nothing does."""

    draft: Draft | None
    turn_id: str
    complete: bool
    refused: str = ""

    def case(self) -> Case:
        """The finished case.

        Raises:
            pydantic.ValidationError: It is none yet.
        """
        assert self.draft is not None
        return Case.model_validate(self.draft.stated())


def draft_of(turn: StoredTurn, wish: Wish, cited: Sequence[Quote], scrub: Scrub, today: date) -> Candidate:
    """A turn as a draft. Quotes are the documents' own words and stay as they are: they must be found there.

    Args:
        turn: From production.
        wish: What a person says about it.
        cited: What the turn cited, as quotes.
        scrub: Takes personal data out.
        today: The day on which the case is made.
    """
    question = wish.question or turn.question
    if not question or not question.strip():
        why = "its words were not kept (`chat.record_text` is off). Give them: --question '…'"
        return Candidate(None, turn.id, False, why)
    evidence = (wish.quotes or tuple(cited[:_MAX_SUGGESTED])) if wish.action in ("answer", "redact") else ()
    draft = Draft(
        id=f"turn-{turn.id[:16].lower()}",
        group=evidence[0].uri if evidence else cited[0].uri if cited else f"turn-{turn.id[:16].lower()}",
        created=today,
        kind=wish.kind or KIND_OF[wish.action],
        slices=(SLICE,),
        question=scrub(question.strip()),
        action=wish.action,
        answers=tuple(scrub(answer) for answer in wish.answers),
        evidence=evidence,
        turn_id=turn.id,
        said=scrub(turn.answer or ""),
        note=scrub(turn.note),
    )
    return Candidate(draft, turn.id, wish.complete)


def admit(candidates: Sequence[Candidate], known: Sequence[Case], drafts: Collection[Draft] = ()) -> list[Candidate]:
    """The candidates, each with the reason where it may not come in.

    Only dev cases are made: whoever promotes a turn has read it, and a test case must be unknown to developers. So a
    turn about what the test split holds is refused.

    Args:
        candidates: In order; of two that ask the same the first comes in.
        known: All cases of the set, of both splits. Those of the test split are named, never quoted.
        drafts: That wait already.
    """
    live = [case for case in known if case.retired is None]
    asking = [one for one in candidates if one.draft is not None and not one.refused]
    probes = [*live, *(probe(draft) for draft in drafts), *(probe(one.draft) for one in asking if one.draft)]
    first = len(probes) - len(asking)
    likes: defaultdict[int, list[tuple[float, int]]] = defaultdict(list)
    for one, other, alike in near_pairs(probes):
        likes[other].append((alike, one))
    test_groups = _groups(case for case in live if case.split == "test")
    ids = {case.id for case in known} | {draft.id for draft in drafts}
    out: set[int] = set()
    judged = []
    for number, candidate in enumerate(asking, start=first):
        draft = candidate.draft
        assert draft is not None
        reason = ""
        closest = max(((alike, other) for alike, other in likes[number] if other not in out), default=None)
        if draft.id in ids:
            reason = f"it was promoted before, as {draft.id}"
        elif closest:
            alike, other = closest
            same = asked(probes[other]) == asked(probes[number])
            how = "exactly what" if same else f"nearly what (similarity {alike:.2f}, limit {NEAR:g})"
            reason = f"it asks {how} {probes[other].id} asks"
        elif locked := sorted(_groups([probe(draft)]) & test_groups):
            reason = (
                f"{locked[0]} belongs to the locked test split; a turn that developers have read may only become a "
                "dev case, and one about that document would tell what the test split asks about"
            )
        if reason:
            out.add(number)
        ids.add(draft.id)
        judged.append(replace(candidate, refused=reason))
    done = iter(judged)
    return [next(done) if one.draft is not None and not one.refused else one for one in candidates]


def check_admitted(case: Case, known: Sequence[Case]) -> None:
    """The same rules for a case that a person finished from a draft.

    Raises:
        GoldenSetError: It may not come in.
    """
    draft = Draft(
        id=case.id, group=case.group, created=case.created, kind=case.kind, question=case.question,
        action=case.gold.action, evidence=case.gold.evidence, turn_id=case.id,
    )  # fmt: skip
    found = admit([Candidate(draft, case.id, True)], known)[0]
    if found.refused:
        raise GoldenSetError(f"{case.id} cannot become a case: {found.refused}.")


def probe(draft: Draft) -> Case:
    """A stand-in for a draft, as far as comparing questions and groups goes: its gold need not be finished."""
    return Case(
        id=draft.id, group=draft.group, split="dev", created=draft.created, kind=draft.kind, severity=draft.severity,
        question=draft.question, additions=tuple(quote.uri for quote in draft.evidence), gold=Gold(action="abstain"),
    )  # fmt: skip


def _groups(cases: Iterable[Case]) -> set[str]:
    """Groups and documents of cases: what must not stand in both splits."""
    return {
        name for case in cases for name in (case.group, *case.additions, *(quote.uri for quote in case.gold.evidence))
    }
