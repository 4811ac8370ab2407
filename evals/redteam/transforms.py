"""All transforms by name, and chains of them. Adding one is adding it to the file of its family."""

from collections.abc import Mapping, Sequence
from random import Random

from evals.redteam.documents import DOCUMENTS
from evals.redteam.encodings import ENCODINGS
from evals.redteam.framing import FRAMINGS
from evals.redteam.languages import LANGUAGES
from evals.redteam.types import Chain, Surface, Transform
from evals.redteam.unicode import UNICODE

PLAIN = Transform("plain", "control", "both", lambda text, random: text)
"""The seed as it stands: what any transform is measured against. Never in a chain with others."""

TRANSFORMS: Mapping[str, Transform] = {
    transform.name: transform for transform in (PLAIN, *ENCODINGS, *UNICODE, *FRAMINGS, *LANGUAGES, *DOCUMENTS)
}


def fitting(surface: Surface) -> list[Transform]:
    """The transforms that a question, or a planted paragraph, can go through."""
    return [transform for transform in TRANSFORMS.values() if transform.fits(surface)]


def chain_of(ranked: Sequence[Transform], length: int, random: Random) -> Chain:
    """A chain of the first `length` that go together, in random order but for the one that must stand last."""
    if ranked[0] is PLAIN:
        return (PLAIN,)
    chosen: list[Transform] = []
    for transform in ranked:
        if len(chosen) == length:
            break
        if transform is not PLAIN and not (transform.last and any(other.last for other in chosen)):
            chosen.append(transform)
    random.shuffle(chosen)
    return tuple(sorted(chosen, key=lambda transform: transform.last))


def applied(text: str, chain: Chain, random: Random) -> str:
    """The text after all transforms of a chain."""
    for transform in chain:
        text = transform.apply(text, random)
    return text
