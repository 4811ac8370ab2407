"""Whether a question has several meanings here, and which: asked back only where the words leave it open."""

from collections.abc import Sequence

from app.deciding.asks import points_back
from app.deciding.wording import MAX_OPTIONS, topic
from app.reading import Reading
from retrieval.types import Passage
from retrieval.words import content_words

_FEW_WORDS = 3
"""Of a question's content words: with more of them, a question says what it is about."""
_NEAR = 0.8
"""A passage counts as another meaning when its score is at least so much of the best one's."""
_MEANINGS = 2
_READ = 5


def meanings(question: str, reading: Reading) -> tuple[str, ...]:
    """What could be meant, best first; none where the question says which, or where only one place fits it.

    A question is open when it is short and points at something that it does not name ("how long do we keep it?"), or
    when none of its few words stands in the title or heading of the best passage; and when passages about
    different things fit it about equally well.
    """
    words = set(content_words(question))
    if not words or len(words) > _FEW_WORDS or not reading.passages:
        return ()
    best = reading.passages[0]
    if not points_back(question):
        held = set(content_words(" ".join(passage.text for passage in reading.passages[:_READ])))
        named = set(content_words(f"{best.title} {best.section or ''}"))
        if words & named or 2 * len(words & held) < len(words):  # it says which; or it is about nothing that is here
            return ()
    options = _near(reading.passages)
    return options if len(options) >= _MEANINGS else ()


def _near(passages: Sequence[Passage]) -> tuple[str, ...]:
    """The topics of the passages that fit about as well as the best one."""
    least = _NEAR * passages[0].score
    return tuple(dict.fromkeys(topic(p) for p in passages if p.score >= least))[:MAX_OPTIONS]
