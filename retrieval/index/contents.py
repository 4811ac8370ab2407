"""What an index is built of: the chunks of a snapshot, their vectors and words, and who may see which."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import overload

import numpy as np
from numpy.typing import NDArray

from retrieval.embedders.port import Vectors
from retrieval.types import Labels, Scope


@dataclass(frozen=True, slots=True)
class DocumentColumn(Sequence[tuple[str, str]]):
    """(doc_id, version) by document: `names` is (documents, 2) of at most 16 ASCII characters, 32 bytes a document."""

    names: NDArray[np.bytes_]

    @classmethod
    def of(cls, documents: Sequence[tuple[str, str]]) -> "DocumentColumn":
        """The column of these documents."""
        return cls(np.array(documents, dtype="S16").reshape(-1, 2))

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, number: int) -> tuple[str, str]: ...
    @overload
    def __getitem__(self, number: slice) -> "DocumentColumn": ...
    def __getitem__(self, number: int | slice) -> "tuple[str, str] | DocumentColumn":
        if isinstance(number, slice):
            return DocumentColumn(self.names[number])
        doc_id, version = self.names[number]
        return doc_id.decode(), version.decode()


@dataclass(frozen=True, slots=True)
class LabelColumn(Sequence[Labels]):
    """Labels by document: the few different ones once, in `kinds`, and which one each document has, (documents,)."""

    kinds: tuple[Labels, ...]
    kind: NDArray[np.int32]

    @classmethod
    def of(cls, labels: Sequence[Labels]) -> "LabelColumn":
        """The column of these labels."""
        known: dict[str, int] = {}
        kinds: list[Labels] = []
        kind = np.empty(len(labels), dtype=np.int32)
        for i, said in enumerate(labels):
            key = json.dumps(asdict(said), sort_keys=True)
            kind[i] = known.setdefault(key, len(kinds))
            if kind[i] == len(kinds):
                kinds.append(said)
        return cls(tuple(kinds), kind)

    def __len__(self) -> int:
        return len(self.kind)

    @overload
    def __getitem__(self, number: int) -> Labels: ...
    @overload
    def __getitem__(self, number: slice) -> "LabelColumn": ...
    def __getitem__(self, number: int | slice) -> "Labels | LabelColumn":
        if isinstance(number, slice):
            return LabelColumn(self.kinds, self.kind[number])
        return self.kinds[int(self.kind[number])]

    def tenants(self) -> Iterator[tuple[str, int, int]]:
        """(tenant, first document, document after the last) of each run of documents of one tenant."""
        number: dict[str, int] = {}
        of_kind = np.array([number.setdefault(kind.tenant, len(number)) for kind in self.kinds], dtype=np.int32)
        names, of_document = list(number), of_kind[self.kind]
        bounds = [0, *(np.flatnonzero(np.diff(of_document)) + 1).tolist(), len(self)]
        for first, after in pairwise(bounds):
            if first < after:
                yield names[of_document[first]], first, after


@dataclass(frozen=True, slots=True)
class Rows:
    """Which chunk each row is: `documents[document[i]]` is (doc_id, version), [start[i], end[i]) its span.

    `labels` has one entry for each document. Documents of one tenant stand together, so each tenant's rows are one
    range.
    """

    documents: DocumentColumn
    labels: LabelColumn
    document: NDArray[np.int32]
    start: NDArray[np.int32]
    end: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.document)

    def tenants(self) -> Iterator[tuple[str, int, int]]:
        """(tenant, first row, row after the last) of each tenant."""
        known: set[str] = set()
        for tenant, first, after in self.labels.tenants():
            if tenant in known:
                raise ValueError("the documents of a tenant must stand together")
            known.add(tenant)
            start, end = np.searchsorted(self.document, [first, after])
            yield tenant, int(start), int(end)

    def admitted(self, scope: Scope) -> NDArray[np.bool_]:
        """By document, whether `scope` may find it: (documents,) bool. Decided once for each kind of labels."""
        return np.array([scope.admits(kind) for kind in self.labels.kinds], dtype=np.bool_)[self.labels.kind]


@dataclass(frozen=True, slots=True)
class IndexContents:
    """A snapshot as an index takes it: row i has `vectors[embedder][i]` and the words `words[i]`, with repetitions."""

    rows: Rows
    vectors: Mapping[str, Vectors]
    words: Sequence[Sequence[str]]
