"""Neighbouring chunks read together by an embedder that reads more than one chunk at a time.

An embedder that was trained on long passages finds more when it sees a chunk with its neighbours, at the same cost:
every token is still read once, and the chunks of a window share its vector (docs/benchmarks.md).
"""

from collections.abc import Sequence
from dataclasses import replace

from retrieval.store.rows import ChunkRow


def windows(rows: Sequence[ChunkRow], max_chars: int) -> list[ChunkRow]:
    """For each chunk the window that it lies in: the span from its first chunk to its last, with the first's context.

    Args:
        rows: Chunks; those of a document in a row, in order.
        max_chars: Upper bound of a window; a chunk that is longer by itself is a window of its own.

    Returns:
        One row for each of `rows`. Its `text_sha256` is empty: the text of a window is not known here.
    """
    found: list[ChunkRow] = []
    group: list[ChunkRow] = []
    for row in rows:
        joins = group and (row.doc_id, row.version) == (group[0].doc_id, group[0].version)
        if not joins or row.end - group[0].start > max_chars:
            found += _shared(group)
            group = []
        group.append(row)
    return found + _shared(group)


def _shared(group: Sequence[ChunkRow]) -> list[ChunkRow]:
    return [replace(group[0], end=group[-1].end, text_sha256="")] * len(group) if group else []
