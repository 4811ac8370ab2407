"""The sentences of a turn that does not simply answer, and the topics it offers."""

from collections.abc import Sequence

from app.types import Citation
from retrieval.types import Passage

ABSTENTION = "I don't know: the documents I have do not seem to answer this."
MAX_OPTIONS = 4
_OPTION_CHARS = 120
_QUOTE_CHARS = 300


def topic(passage: Passage) -> str:
    """What a passage is about, as a person would look it up: its document, and the section where it has one."""
    last = (passage.section or "").rpartition(" > ")[2]
    title = passage.title or passage.uri.rpartition("/")[2]
    named = f"{title}: {last}" if last and last != title else title
    return " ".join(named.split())[:_OPTION_CHARS]


def topics(passages: Sequence[Passage]) -> tuple[str, ...]:
    """The topics of the best passages, each once, at most `MAX_OPTIONS`."""
    return tuple(dict.fromkeys(topic(passage) for passage in passages))[:MAX_OPTIONS]


def abstention(nearest: Sequence[str]) -> str:
    """Say no, and what is known instead."""
    if not nearest:
        return ABSTENTION
    return f"{ABSTENTION} The nearest that they cover: {_listed(nearest, 'and')}."


def clarification(options: Sequence[str]) -> str:
    """Ask back which of several meanings is meant."""
    return f"Which of these do you mean: {_listed(options, 'or')}?"


def left_open(missing: Sequence[str]) -> str:
    """Say what of the question stays without an answer; empty where nothing does."""
    if not missing:
        return ""
    return f"The documents I have do not seem to answer this part: {_listed([_bare(part) for part in missing], 'and')}."


def otherwise(conflicts: Sequence[Citation]) -> str:
    """Say which sources say otherwise, in their words."""
    quoted = dict.fromkeys(f"{c.title or c.uri}: “{' '.join(c.quote.split())[:_QUOTE_CHARS]}”" for c in conflicts)
    return f"The sources do not agree. {' '.join(list(quoted)[:MAX_OPTIONS])}"


def _bare(part: str) -> str:
    return f"“{part.strip().rstrip('?.! ')}”"


def _listed(items: Sequence[str], word: str) -> str:
    return items[0] if len(items) == 1 else f"{'; '.join(items[:-1])}; {word} {items[-1]}"
