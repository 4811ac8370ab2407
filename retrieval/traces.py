"""What would tell of something erased: its words, and longer runs of its texts that nothing else holds."""

from collections.abc import Iterable, Iterator

import numpy as np

from retrieval.folding import fold, readings

WINDOW, STRIDE = 32, 16
"""Characters compared at once, and between two places of a text that is looked at: no run of 47 is missed."""
RUN, OWN = 64, 16
"""A run of a text tells of it from this length on, if so much of it stands in no text that stays."""
SHORT = 96
"""Up to this length a text is looked for whole; below `LEAST` it says nothing of its own."""
LEAST = 24
MAX_CHARS = 8_000_000
"""Of all texts together that are looked for (16 bytes of memory each); of each text its share from the beginning."""


class Traces:
    """Words and texts to look for. All comparisons are on folded text, so case and white space do not matter."""

    def __init__(self, words: Iterable[str], texts: Iterable[str]) -> None:
        """`words` are found wherever they stand; of `texts`, runs that `share` has not seen elsewhere."""
        folded = [fold(text) for text in texts]
        self.words = sorted({fold(word) for word in words} - {""})
        self.short = sorted({text for text in folded if LEAST <= len(text) <= SHORT})
        longer = [text for text in folded if len(text) > SHORT]
        share = MAX_CHARS // max(1, len(longer))
        self._text = "\n".join(text[:share] for text in longer)  # no folded text holds a line break
        last = max(0, len(self._text) - WINDOW + 1)
        hashes = np.fromiter((hash(self._text[i : i + WINDOW]) for i in range(last)), dtype=np.int64, count=last)
        self._order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[self._order]
        self._shared = np.zeros(len(self._text), dtype=np.bool_)
        self._settled = True

    @property
    def characters(self) -> int:
        """How many characters of texts are looked for."""
        return len(self._text) + sum(map(len, self.short))

    @property
    def shortest(self) -> int:
        """Characters of the shortest thing that is looked for."""
        return min(map(len, (*self.words, *self.short)), default=RUN)

    def share(self, text: str) -> None:
        """Note a text that stays: what it has in common is no trace."""
        folded = fold(text)
        self.short = [short for short in self.short if short not in folded]
        for start, end in self._runs(folded):
            self._shared[start:end] = True
            self._settled = False

    def in_text(self, text: str) -> bool:
        """Whether a text, escaped or not, tells of it."""
        return any(self.in_folded(reading) for reading in readings(text))

    def in_folded(self, folded: str) -> bool:
        """Whether a folded text tells of it."""
        if any(word in folded for word in self.words) or any(short in folded for short in self.short):
            return True
        if not self._settled:
            self._settle()
        return any(
            end - start >= RUN and int(np.count_nonzero(~self._shared[start:end])) >= OWN
            for start, end in self._runs(folded)
        )

    def _settle(self) -> None:
        """Let what is shared in one place be shared wherever the same characters stand: a look finds one place only."""
        before = np.concatenate([[0], np.cumsum(self._shared)])
        whole = (before[WINDOW:] - before[:-WINDOW] == WINDOW)[self._order]
        group = np.cumsum(np.diff(self._hashes, prepend=self._hashes[:1]) != 0)
        alike = np.isin(group, group[whole])
        edges = np.zeros(len(self._text) + 1, dtype=np.int64)
        np.add.at(edges, self._order[alike], 1)
        np.add.at(edges, self._order[alike] + WINDOW, -1)
        self._shared |= np.cumsum(edges)[:-1] > 0
        self._settled = True

    def _runs(self, folded: str) -> Iterator[tuple[int, int]]:
        """(start, end) in our texts of each run that both have."""
        places = range(0, len(folded) - WINDOW + 1, STRIDE)
        if not len(self._hashes) or not places:
            return
        sampled = np.fromiter((hash(folded[i : i + WINDOW]) for i in places), dtype=np.int64, count=len(places))
        at = np.searchsorted(self._hashes, sampled)
        at[at == len(self._hashes)] = 0
        done = 0
        for number in np.flatnonzero(self._hashes[at] == sampled):
            place, own = places[int(number)], int(self._order[at[number]])
            if place + WINDOW > done and folded[place : place + WINDOW] == self._text[own : own + WINDOW]:
                reach = min(2 * RUN, place, own)
                before = _common(folded[place - reach : place][::-1], self._text[own - reach : own][::-1])
                after = _common_from(folded, place + WINDOW, self._text, own + WINDOW)
                done = place + WINDOW + after
                yield own - before, own + WINDOW + after


def _common(one: str, other: str) -> int:
    """How many characters two texts begin with in common."""
    for at, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return at
    return min(len(one), len(other))


def _common_from(one: str, i: int, other: str, j: int, step: int = 4096) -> int:
    """How many characters they have in common from these places on."""
    length = 0
    while (here := one[i + length : i + length + step]) and here == other[j + length : j + length + step]:
        length += len(here)
    return length + _common(here, other[j + length : j + length + step])
