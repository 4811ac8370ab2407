"""Pair scorers from folders in sentence-transformers' own formats: for people who bring a model."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from retrieval.models import checked_folder, fingerprint

BATCH = 8
"""Pairs scored before the budget is looked at again."""


class FolderScorer:
    """Scores pairs with a model from a folder. On a GPU where there is one; the weights are read by the first pair."""

    def __init__(self, kind: str, folder: Path) -> None:
        """Find the model.

        Args:
            kind: One of `KINDS`.
            folder: Where it lies.

        Raises:
            ModelMissing: There is no model, or its weights are in a format that can run code.
        """
        self._load, self._score = KINDS[kind]
        self._folder = checked_folder(folder)
        self._kind = kind
        self._loading = threading.Lock()
        self._model: Any = None
        self._fingerprint = ""

    @property
    def fingerprint(self) -> str:
        """Kind, and the hash of every file of the model."""
        if not self._fingerprint:
            self._fingerprint = f"{self._kind}@{fingerprint(self._folder)}"
        return self._fingerprint

    def count_tokens(self, text: str) -> int:
        """Tokens of `text` as the model counts them, without special ones."""
        return len(self._loaded().tokenizer.encode(text, add_special_tokens=False, verbose=False))

    def scores(self, query: str, texts: Sequence[str]) -> Iterator[float]:
        """How well each text answers the query, in [0, 1], in order, batch by batch."""
        model = self._loaded()
        for start in range(0, len(texts), BATCH):
            for score in self._score(model, query, list(texts[start : start + BATCH])):
                yield min(1.0, max(0.0, float(score)))

    def _loaded(self) -> Any:
        with self._loading:
            if self._model is None:
                self._model = self._load(str(self._folder))
        return self._model


def _cross_encoder(folder: str) -> Any:
    from sentence_transformers import CrossEncoder

    return CrossEncoder(folder, local_files_only=True, trust_remote_code=False)


def _sparse(folder: str) -> Any:
    from sentence_transformers import SparseEncoder

    return SparseEncoder(folder, local_files_only=True, trust_remote_code=False)


def _multi_vector(folder: str) -> Any:
    from sentence_transformers import MultiVectorEncoder

    return MultiVectorEncoder(folder, local_files_only=True, trust_remote_code=False)


def _by_pairs(model: Any, query: str, texts: list[str]) -> Sequence[float]:
    """The logistic function of the model's logit, whatever the model would do with it by itself."""
    import torch

    logits = model.predict([(query, text) for text in texts], activation_fn=torch.nn.Sigmoid(), show_progress_bar=False)
    return list(logits.reshape(len(texts), -1)[:, -1])


def _by_cosine(model: Any, query: str, texts: list[str]) -> Sequence[float]:
    """The cosine of sparse vectors, whose weights are never negative."""
    dense = {"show_progress_bar": False, "convert_to_sparse_tensor": False, "save_to_cpu": True}
    asked = model.encode_query([query], **dense).float()
    found = model.encode_document(texts, **dense).float()
    return list((found @ asked[0]) / (found.norm(dim=1) * asked[0].norm()).clamp(min=1e-12))


def _by_late_interaction(model: Any, query: str, texts: list[str]) -> Sequence[float]:
    """MaxSim (Khattab and Zaharia 2020, "ColBERT"), averaged over the query's tokens, from [-1, 1] to [0, 1]."""
    asked = model.encode_query([query], show_progress_bar=False, normalize_embeddings=True)
    found = model.encode_document(texts, show_progress_bar=False, normalize_embeddings=True)
    return [(float(sim) / len(asked[0]) + 1) / 2 for sim in model.similarity(asked, found)[0]]


_Load = Callable[[str], Any]
_Score = Callable[[Any, str, list[str]], Sequence[float]]
KINDS: Mapping[str, tuple[_Load, _Score]] = {
    "cross_encoder": (_cross_encoder, _by_pairs),
    "sparse": (_sparse, _by_cosine),
    "multi_vector": (_multi_vector, _by_late_interaction),
}
