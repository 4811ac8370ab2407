"""Vectors in half precision in a file, read row by row: candidates of a quantised index get their true scores."""

import os
import weakref
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.embedders.port import Vectors

FILE = "exact.f16"
_BLOCK = 65_536


class ExactVectors:
    """(n, dimensions) float16, row after row. Read with pread: nothing of it is mapped into the process's memory.

    Half precision moves the cosine of unit vectors by about 2e-5, far less than quantisation does.
    """

    def __init__(self, folder: Path, dimensions: int) -> None:
        self._path, self._dimensions = folder / FILE, dimensions
        self._file = os.open(self._path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)

    @staticmethod
    def write(folder: Path, vectors: Vectors) -> None:
        """Write `vectors` (n, dimensions) into `folder`; the caller makes it durable."""
        with (folder / FILE).open("wb") as file:
            for start in range(0, len(vectors), _BLOCK):
                file.write(np.ascontiguousarray(vectors[start : start + _BLOCK], dtype=np.float16).data)

    def read(self, rows: NDArray[np.int64]) -> Vectors:
        """The vectors of ascending rows, (rows, dimensions); neighbours are read together.

        Raises:
            OSError: The file cannot be read, or ends too early.
        """
        found = np.empty((len(rows), self._dimensions), dtype=np.float16)
        bounds = [0, *(np.flatnonzero(np.diff(rows) != 1) + 1).tolist(), len(rows)]
        firsts = rows[bounds[:-1]].tolist() if len(rows) else []
        width = self._dimensions * found.itemsize
        for begin, end, first in zip(bounds, bounds[1:], firsts, strict=False):
            if os.preadv(self._file, [found[begin:end].data], first * width) != (end - begin) * width:
                raise OSError(f"{self._path} ends before row {first + end - begin}")
        return found.astype(np.float32)
