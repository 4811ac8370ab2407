"""What an index is built of: the chunks of a snapshot, their vectors and words, and who may see which."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.embedders.port import Vectors
from retrieval.types import Labels, Scope


@dataclass(frozen=True, slots=True)
class Rows:
    """Which chunk each row is: `documents[document[i]]` is (doc_id, version), [start[i], end[i]) its span.

    `labels` has one entry for each document. Documents of one tenant stand together, so each tenant's rows are one
    range.
    """

    documents: tuple[tuple[str, str], ...]
    labels: tuple[Labels, ...]
    document: NDArray[np.int32]
    start: NDArray[np.int32]
    end: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.document)

    def tenants(self) -> Iterator[tuple[str, int, int]]:
        """(tenant, first row, row after the last) of each tenant."""
        known: set[str] = set()
        bounds = [0, *(i for i in range(1, len(self.labels)) if self.labels[i].tenant != self.labels[i - 1].tenant)]
        for first, after in zip(bounds, [*bounds[1:], len(self.labels)], strict=True):
            if first < after:
                tenant = self.labels[first].tenant
                if tenant in known:
                    raise ValueError("the documents of a tenant must stand together")
                known.add(tenant)
                start, end = np.searchsorted(self.document, [first, after])
                yield tenant, int(start), int(end)

    def admitted(self, scope: Scope) -> NDArray[np.bool_]:
        """By document, whether `scope` may find it: (documents,) bool."""
        return np.fromiter((scope.admits(labels) for labels in self.labels), dtype=np.bool_, count=len(self.labels))


@dataclass(frozen=True, slots=True)
class IndexContents:
    """A snapshot as an index takes it: row i has `vectors[embedder][i]` and the words `words[i]`, with repetitions."""

    rows: Rows
    vectors: Mapping[str, Vectors]
    words: Sequence[Sequence[str]]
