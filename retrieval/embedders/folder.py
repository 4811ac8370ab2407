"""An embedder from a folder in sentence-transformers' own format: for people who bring a model."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.embedders.port import Vectors
from retrieval.models import checked_folder, fingerprint


class FolderEmbedder:
    """A `SentenceTransformer`. On a GPU where there is one.

    Making one is cheap; the weights are read by the first call. The prompts that the model names for queries and
    documents are used.
    """

    window_chars = 0
    languages: frozenset[str] = frozenset()

    def __init__(self, name: str, folder: Path) -> None:
        """Find the model.

        Raises:
            ModelMissing: There is no model, or its weights are in a format that can run code.
        """
        self.name = name
        self._folder = checked_folder(folder)
        self._loading = threading.Lock()
        self._model: Any = None
        self._fingerprint = ""

    @property
    def fingerprint(self) -> str:
        """The hash of every file of the model."""
        if not self._fingerprint:
            self._fingerprint = f"{self.name}@{fingerprint(self._folder)}"
        return self._fingerprint

    @property
    def dimensions(self) -> int:
        """Of its vectors."""
        return int(self._loaded().get_embedding_dimension())

    @property
    def max_tokens(self) -> int:
        """What the model reads, less two special tokens."""
        return int(self._loaded().get_max_seq_length() or 512) - 2

    def count_tokens(self, text: str) -> int:
        """Tokens of `text`, without special ones."""
        return len(self._loaded().tokenizer.encode(text, add_special_tokens=False, verbose=False))

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """(n, dimensions) float32, rows of length one."""
        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        return self._unit(self._loaded().encode_document(list(texts), **_PLAIN))

    def embed_query(self, text: str) -> Vectors:
        """(dimensions,) float32 of length one."""
        return np.asarray(self._unit(self._loaded().encode_query([text], **_PLAIN))[0], dtype=np.float32)

    def _unit(self, vectors: Any) -> Vectors:
        found = np.asarray(vectors, dtype=np.float32)
        return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12), dtype=np.float32)

    def _loaded(self) -> Any:
        with self._loading:
            if self._model is None:
                from sentence_transformers import SentenceTransformer

                self._model = SentenceTransformer(str(self._folder), local_files_only=True, trust_remote_code=False)
        return self._model


_PLAIN = {"batch_size": 32, "convert_to_numpy": True, "show_progress_bar": False}
