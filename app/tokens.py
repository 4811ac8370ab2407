"""Counts tokens offline. The only file that imports tiktoken."""

import importlib.util
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from app.errors import ConfigError

if TYPE_CHECKING:
    import tiktoken

# tiktoken names a cached file by the SHA-1 of its address; this one is o200k_base.
_O200K_FILE = "fb374d419588a4632f3f557e76b4b70aebbca790"

# tiktoken 0.14 overflows its stack and panics (with a BaseException) on one run of a million spaces.
_SLICE_CHARS = 100_000


def count_tokens(text: str) -> int:
    """Count the tokens of `text` in the o200k_base vocabulary; special tokens in it count as plain text.

    Args:
        text: Any text.

    Returns:
        The number of tokens; above 100,000 characters each further slice may count a token or so too many.

    Raises:
        ConfigError: The vocabulary that llama-index-core brings along is not there.
    """
    encoding = _encoding()
    return sum(
        len(encoding.encode_ordinary(text[start : start + _SLICE_CHARS])) for start in range(0, len(text), _SLICE_CHARS)
    )


@cache
def _encoding() -> "tiktoken.Encoding":
    cache_dir = _bundled_cache()
    # tiktoken would otherwise download the vocabulary; it takes the directory from nowhere but the environment.
    os.environ["TIKTOKEN_CACHE_DIR"] = str(cache_dir)
    import tiktoken

    return tiktoken.get_encoding("o200k_base")


def _bundled_cache() -> Path:
    """The directory of vocabularies inside llama-index-core, found without importing it (2.5 s of CPU)."""
    spec = importlib.util.find_spec("llama_index.core") if importlib.util.find_spec("llama_index") else None
    if spec is not None and spec.origin is not None:
        cache_dir = Path(spec.origin).parent / "_static" / "tiktoken_cache"
        if (cache_dir / _O200K_FILE).is_file():
            return cache_dir
    raise ConfigError("tiktoken's o200k_base vocabulary is missing; pip install 'llama-index-core>=0.14.25,<0.15'")
