"""Vectors by embedder and text: what was embedded once is not embedded again, whatever corpus or document holds it."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from sqlalchemy import Engine, select

from retrieval.embedders.port import Vectors
from retrieval.store.statements import batches, insert_or_ignore
from retrieval.store.tables import vectors


class EmbeddingCache:
    """Vectors under (fingerprint of the embedder, which holds its weights' hash; SHA-256 of the text)."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writes = engine.execution_options(write=True)

    def missing(self, embedder: str, hashes: Iterable[str]) -> set[str]:
        """Which of the hashes have no vector yet."""
        wanted = set(hashes)
        with self._engine.connect() as db:
            for batch in batches(sorted(wanted)):
                query = select(vectors.c.text_sha256).where(
                    vectors.c.embedder == embedder, vectors.c.text_sha256.in_(batch)
                )
                wanted.difference_update(db.scalars(query))
        return wanted

    def put(self, embedder: str, rows: Mapping[str, Vectors]) -> None:
        """Write vectors by the hash of their text, in one transaction."""
        values = [
            {"embedder": embedder, "text_sha256": key, "vector": np.asarray(vector, dtype="<f4").tobytes()}
            for key, vector in rows.items()
        ]
        if values:
            with self._writes.begin() as db:
                db.execute(insert_or_ignore(self._engine, vectors), values)

    def get(self, embedder: str, hashes: Sequence[str], dimensions: int) -> Vectors:
        """Vectors in the order of `hashes`: (n, dimensions) float32.

        Raises:
            LookupError: One of them is missing.
        """
        positions: dict[str, list[int]] = {}
        for position, key in enumerate(hashes):
            positions.setdefault(key, []).append(position)
        result = np.zeros((len(hashes), dimensions), dtype=np.float32)
        with self._engine.connect() as db:
            for batch in batches(sorted(positions)):
                query = select(vectors.c.text_sha256, vectors.c.vector).where(
                    vectors.c.embedder == embedder, vectors.c.text_sha256.in_(batch)
                )
                for key, raw in db.execute(query):
                    result[positions.pop(key)] = np.frombuffer(raw, dtype="<f4")
        if positions:
            raise LookupError(f"{len(positions)} vectors are missing; they must be stored before an index is built")
        return result
