"""Keyed hashes of words that are not kept: a plain hash of a short question could be guessed."""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from app.errors import ConfigError
from app.types import Message

FILE = "turns.key"
KEY_BYTES = 32


class Seal:
    """HMAC-SHA256 under a key that never leaves `ASSAY_HOME/keys`. Without the key the hashes say nothing."""

    def __init__(self, folder: Path) -> None:
        """The key is made by the first use."""
        self._path = folder / FILE
        self._key: bytes | None = None

    def question(self, text: str) -> str:
        """64 hexadecimal digits for a question."""
        return self._hash(["question", text])

    def history(self, messages: Sequence[Message]) -> str:
        """64 hexadecimal digits for a conversation, "" for none."""
        return self._hash(["history", *([m.role, m.content] for m in messages)]) if messages else ""

    def turn(self, question: str, messages: Sequence[Message]) -> str:
        """64 hexadecimal digits for a question in its conversation."""
        return self._hash(["turn", question, *([m.role, m.content] for m in messages)])

    def _hash(self, said: list[object]) -> str:
        self._key = self._key or key_file(self._path)
        return hmac.new(self._key, json.dumps(said).encode(), hashlib.sha256).hexdigest()


def key_file(path: Path) -> bytes:
    """Read a key of 32 random bytes, or make one; of several processes that make one at once, all take the same.

    Raises:
        ConfigError: It cannot be read or written, or is not whole.
    """
    try:
        if not path.exists():
            _make(path)
        key = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"The key {path} cannot be used: {error.strerror}.") from None
    if len(key) != KEY_BYTES:
        raise ConfigError(f"The key {path} is damaged. Put it back from a backup, or remove it: old turns cannot be "
                          "checked against their questions then.")  # fmt: skip
    return key


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # fails where another process was first: its key counts
    except FileExistsError:
        pass
    finally:
        draft.unlink()
