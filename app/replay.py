"""Run a stored turn again, over its own snapshot and scope, and tell whether it comes out the same."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from app.errors import WordsDiffer, WordsNeeded
from app.pipeline import ChatPipeline, unrecorded
from app.releases import Release, differences
from app.store.records import TurnRecord, UsedPassage, answer_sha256, messages
from app.store.seal import Seal
from app.types import ChatRequest, ChatResult, Message
from retrieval.errors import IndexMissing
from retrieval.snapshots import Snapshots

SAME_SCORE = 1e-6


@dataclass(frozen=True, slots=True)
class Replay:
    """How a turn came out the second time. It is reproduced when answer, citations and passages are the same."""

    answer_same: bool
    citations_same: bool
    passages_same: bool
    """The same characters of the same versions in the same order."""
    score_drift: float
    """The largest difference of a passage's scores, where the passages are the same: processors differ."""
    passages_then: tuple[UsedPassage, ...]
    passages_now: tuple[UsedPassage, ...]
    release: Mapping[str, tuple[str, str]]
    """What differs between the releases: (then, now)."""
    provider: tuple[str, str]
    """What answered: (then, now)."""
    serves_now: str
    """The snapshot that serves now; the replay searched the turn's own."""
    result: ChatResult

    @property
    def reproduced(self) -> bool:
        """Whether it is the same answer from the same places."""
        return self.answer_same and self.citations_same and self.passages_same


def request_of(turn: TurnRecord, seal: Seal, question: str | None, history: Sequence[Message] | None) -> ChatRequest:
    """The request of a turn, from its record or from words that are given, which are checked against their hashes.

    Raises:
        WordsNeeded: Question or history were not kept and are not given, or the turn is too old to check them.
        WordsDiffer: They are not those of the turn.
    """
    if not turn.question_hmac:
        raise WordsNeeded(f"The turn '{turn.id}' is from before turns kept their scope: it cannot be run again.")
    asked = turn.question if question is None else question
    if asked is None:
        raise WordsNeeded(
            "The question was not kept (chat.record_text is off). Give it: --question TEXT; it is checked by its hash."
        )
    if question is not None and seal.question(question) != turn.question_hmac:
        raise WordsDiffer("This is not the question of the turn, to the letter: their keyed hashes differ.")
    said = turn.history if history is None else tuple(history)
    if said is None and turn.history_hmac:
        raise WordsNeeded(
            "The turn had a history, which was not kept. Give it: --history FILE, JSON as POST /v1/chat takes it: "
            '[{"role": "user", "content": "…"}, …].'
        )
    if history is not None and seal.history(history) != turn.history_hmac:
        raise WordsDiffer("This is not the history of the turn, to the letter: their keyed hashes differ.")
    return ChatRequest(asked, said or (), turn.corpus, turn.scope)


def read_history(path: Path) -> tuple[Message, ...]:
    """Messages from a JSON file: a list of {role, content}.

    Raises:
        WordsNeeded: It is none.
    """
    try:
        stated = json.loads(path.read_text(encoding="utf-8"))
        return messages([[message["role"], message["content"]] for message in stated])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise WordsNeeded(f"{path} is not a history, a JSON list of {{role, content}}: {error}") from None


def ensure_index(snapshots: Snapshots, turn: TurnRecord, *, rebuild: bool) -> None:
    """See to it that the turn's snapshot can be searched.

    Raises:
        SnapshotNotFound: It is no longer stored.
        IndexMissing: Its index was removed, and `rebuild` is not set.
        IndexOutdated: The index would have to be rebuilt, and the snapshot was made with other models or rules.
    """
    snapshots.store.snapshot(turn.corpus, turn.snapshot)
    if snapshots.publisher.indexes.holds(turn.corpus, turn.snapshot):
        return
    if not rebuild:
        raise IndexGone(turn.corpus, turn.snapshot)
    snapshots.rebuild(turn.corpus, turn.snapshot)


class IndexGone(IndexMissing):
    """The index of an old snapshot was removed; it can be written anew."""

    def __init__(self, corpus: str, snapshot: str) -> None:
        super().__init__(corpus, snapshot)
        self.args = (
            f"The index of snapshot '{snapshot}' of '{corpus}' was removed. Add --rebuild: it is written anew from "
            "stored vectors, and what serves goes on serving.",
        )


async def replay(
    pipeline: ChatPipeline, turn: TurnRecord, asked: ChatRequest, now: Release, snapshots: Snapshots
) -> Replay:
    """Run a turn again without keeping it.

    Args:
        pipeline: Today's.
        turn: What is compared with.
        asked: As `request_of` gives it.
        now: The release of `pipeline`.
        snapshots: Where the turn's snapshot is.
    """
    result = await replace(pipeline, record=unrecorded).run(asked)
    found = {passage.doc_id for passage in result.passages}
    versions = {doc_id: snapshots.store.version_in(doc_id, turn.snapshot)[1] for doc_id in found}
    after = tuple(UsedPassage(p.doc_id, versions[p.doc_id], p.start, p.end, p.score) for p in result.passages)
    cited = tuple((c.doc_id, c.start, c.end) for claim in result.claims for c in claim.citations)
    same = [_place(p) for p in turn.passages] == [_place(p) for p in after]
    drift = max((abs(a.score - b.score) for a, b in zip(turn.passages, after, strict=same)), default=0.0)
    return Replay(
        answer_same=answer_sha256(result.answer) == turn.answer_sha256,
        citations_same=cited == turn.citations,
        passages_same=same,
        score_drift=drift if same and drift > SAME_SCORE else 0.0,
        passages_then=turn.passages,
        passages_now=after,
        release=differences(turn.release, now) if turn.release else {},
        provider=(turn.provider, result.provider),
        serves_now=snapshots.store.active(turn.corpus),
        result=result,
    )


def _place(passage: UsedPassage) -> tuple[str, str, int, int]:
    return passage.doc_id, passage.version, passage.start, passage.end
