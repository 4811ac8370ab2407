"""Which rows a scope may find, decided once and kept for the scopes that were asked lately."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from retrieval.index.contents import Rows
from retrieval.types import Access, Attribute, Scope

SCOPES_KEPT = 8
"""Each costs a byte a row, and an eighth more where not all rows are admitted."""


@dataclass(frozen=True)
class Allowed:
    """The rows of a partition that a scope admits: `mask` is (n,) bool."""

    mask: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.mask)

    @cached_property
    def count(self) -> int:
        """How many there are."""
        return int(np.count_nonzero(self.mask))

    @cached_property
    def everything(self) -> bool:
        """Whether every row is admitted."""
        return self.count == len(self.mask)

    @cached_property
    def bits(self) -> NDArray[np.uint8]:
        """The mask, eight rows a byte, the first row in the lowest bit."""
        return np.packbits(self.mask, bitorder="little")


Key = tuple[Access, frozenset[tuple[str, Attribute]]]


@dataclass(frozen=True, slots=True)
class Admission:
    """What scopes admit of the rows of an open index, by tenant. Threads may share it."""

    rows: Rows
    _tenants: dict[str, tuple[int, int]]
    _kept: OrderedDict[Key, dict[str, Allowed]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, rows: Rows) -> "Admission":
        """The admission of these rows."""
        return cls(rows, {tenant: (first, after) for tenant, first, after in rows.tenants()})

    def allowed(self, scope: Scope, tenant: str) -> Allowed:
        """Which rows of a tenant that has rows `scope` admits; the first row of the tenant is row 0."""
        key = (scope.access, frozenset(scope.where.items()))
        with self._lock:
            found = self._kept.setdefault(key, {})
            self._kept.move_to_end(key)
            while len(self._kept) > SCOPES_KEPT:
                self._kept.popitem(last=False)
        if tenant not in found:  # two threads may both find out: they find the same
            first, after = self._tenants[tenant]
            found[tenant] = Allowed(self.rows.admitted(scope)[self.rows.document[first:after]])
        return found[tenant]
