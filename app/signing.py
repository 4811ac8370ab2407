"""Keys under ASSAY_HOME/keys: signatures of receipts, and what is kept sealed until an erasure is done.

The only door to cryptography.
"""

import base64
import json
import os
import secrets
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import ConfigError
from app.files import write_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_BYTES = 32
_PRIVATE = 0o600


class Keys:
    """The keys of a home. Each is made by its first use, readable by this account alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, bytes] = {}

    def erasure(self) -> bytes:
        """The key of the hashes that tombstones hold: 32 random bytes."""
        return self._get("erasure.key")

    def conversations(self) -> "Sealing":
        """The key that conversations are kept under."""
        return Sealing(self._folder / "conversations.key")

    def sealing(self, name: str) -> "Sealing":
        """The key of one intent."""
        return Sealing(self._folder / f"{name}.key")

    @cached_property
    def _signer(self) -> "Ed25519PrivateKey":
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self._get("receipts.key"))

    def public(self) -> str:
        """The key that receipts are checked with: 64 hexadecimal digits, for everyone to see."""
        return self._signer.public_key().public_bytes_raw().hex()

    def sign(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The body with its signature (Ed25519 over its canonical JSON)."""
        signed = {**body, "public_key": self.public()}
        return {**signed, "signature": self._signer.sign(_canonical(signed)).hex()}

    def _get(self, name: str) -> bytes:
        if name not in self._known:
            self._known[name] = _key(self._folder / name)
        return self._known[name]


class Sealing:
    """Encrypts for a short while: once the key is destroyed, nobody can read what was sealed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def seal(self, data: bytes) -> bytes:
        """Encrypt and authenticate (Fernet)."""
        from cryptography.fernet import Fernet

        return Fernet(base64.urlsafe_b64encode(_key(self._path))).encrypt(data)

    def open(self, sealed: bytes) -> bytes:
        """Read what `seal` wrote.

        Raises:
            ConfigError: The key is gone, or the data is damaged.
        """
        from cryptography.fernet import Fernet, InvalidToken

        if not self._path.exists():
            raise ConfigError(f"The key {self._path} is gone: what was begun cannot be read. Repeat the command.")
        try:
            return Fernet(base64.urlsafe_b64encode(_key(self._path))).decrypt(sealed)
        except InvalidToken:
            raise ConfigError(f"What the key {self._path} opens is damaged. Repeat the command.") from None

    def destroy(self) -> None:
        """Overwrite the key and remove it."""
        if self._path.exists():
            with self._path.open("r+b") as file:
                file.write(bytes(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            self._path.unlink()


def genuine(receipt: Mapping[str, Any]) -> bool:
    """Whether a receipt is as its key signed it. Whose key that is, the caller must know."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    signed = {name: value for name, value in receipt.items() if name != "signature"}
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(str(receipt["public_key"])))
        key.verify(bytes.fromhex(str(receipt["signature"])), _canonical(signed))
    except (KeyError, ValueError, InvalidSignature):
        return False
    return True


def _canonical(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _key(path: Path) -> bytes:
    """Read a key, or make it; of several processes that make it at once, all take the same.

    Raises:
        ConfigError: It cannot be read or written, or is not whole.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            write_file(path, secrets.token_bytes(KEY_BYTES), mode=_PRIVATE, replace=False)
        key = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"The key {path} cannot be used: {error.strerror}.") from None
    if len(key) != KEY_BYTES:
        raise ConfigError(f"The key {path} is damaged. Put it back from a backup.")
    return key
