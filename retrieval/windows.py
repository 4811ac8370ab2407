"""Neighbouring chunks read together by an embedder that reads more than one chunk at a time.

An embedder that was trained on long passages finds more when it sees a chunk with its neighbours, at the same cost:
every token is still read once, and the chunks of a window share its vector (docs/benchmarks.md).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from retrieval.store.rows import ChunkRow

_MORE = 1.1
"""So many times more parts are tried where one is too long: few tries, also in a document of a million chunks."""


def windows(rows: Sequence[ChunkRow], max_chars: int) -> list[ChunkRow]:
    """For each chunk the window that it lies in: the span from its first chunk to its last, with the first's context.

    The windows of a document are of about one length, for a short rest would have a vector that says little.

    Args:
        rows: Chunks; those of a document in a row, in order.
        max_chars: Upper bound of a window; a chunk that is longer by itself is a window of its own.

    Returns:
        One row for each of `rows`. Its `text_sha256` is empty: the text of a window is not known here.
    """
    documents = (list(of_one) for _, of_one in groupby(rows, key=lambda row: (row.doc_id, row.version)))
    return [window for document in documents for group in _groups(document, max_chars) for window in _shared(group)]


def _groups(rows: Sequence[ChunkRow], max_chars: int) -> Sequence[Sequence[ChunkRow]]:
    """The fewest parts of about one length that keep the bound."""
    count = max(1, math.ceil((rows[-1].end - rows[0].start) / max_chars))
    while count < len(rows):
        groups = list(_split(rows, count))
        if all(len(group) == 1 or group[-1].end - group[0].start <= max_chars for group in groups):
            return groups
        count = math.ceil(count * _MORE)
    return [[row] for row in rows]


def _split(rows: Sequence[ChunkRow], count: int) -> Iterator[Sequence[ChunkRow]]:
    """Parts of one length, each chunk in the part that its middle lies in."""
    start, length = rows[0].start, (rows[-1].end - rows[0].start) / count
    for _, part in groupby(rows, key=lambda row: int(((row.start + row.end) / 2 - start) / length)):
        yield list(part)


def _shared(group: Sequence[ChunkRow]) -> list[ChunkRow]:
    return [replace(group[0], end=group[-1].end, text_sha256="")] * len(group)
