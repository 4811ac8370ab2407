"""Receipts of erasures: signed, one file each, never written over."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.errors import ReceiptInvalid
from app.files import write_file
from app.signing import Keys, genuine

MAX_BYTES = 10_000_000


class Receipts:
    """The receipts of a home."""

    def __init__(self, folder: Path, keys: Keys) -> None:
        self._folder = folder
        self._keys = keys

    def write(self, name: str, body: Mapping[str, Any]) -> tuple[Path, dict[str, Any]]:
        """Sign a receipt and keep it, under a further number where one of this name is there already."""
        signed = self._keys.sign(body)
        data = as_file(signed)
        number = 1
        while True:
            path = self._folder / (f"{name}.json" if number == 1 else f"{name}.{number}.json")
            if write_file(path, data, replace=False):
                return path, signed
            number += 1

    def there(self, name: str) -> bool:
        """Whether there is a receipt of this id."""
        return (self._folder / f"{name}.json").exists()

    def check(self, path: Path) -> dict[str, Any]:
        """Read a receipt and check that this home signed it as it is.

        Raises:
            ReceiptInvalid: It cannot be read, was changed, or another key signed it.
        """
        try:
            data = path.read_bytes()[: MAX_BYTES + 1]
            receipt = json.loads(data)
        except OSError as error:
            raise ReceiptInvalid(f"The receipt {path} cannot be read: {error.strerror}.") from None
        except ValueError:
            raise ReceiptInvalid(f"{path} is not a receipt.") from None
        if not isinstance(receipt, dict) or not genuine(receipt):
            raise ReceiptInvalid(f"{path} is not as it was signed: it was changed, or it is not a receipt.")
        if receipt["public_key"] != self._keys.public():
            raise ReceiptInvalid(
                f"{path} was signed by another key, {receipt['public_key'][:16]}…: not by this ASSAY_HOME."
            )
        return receipt


def as_file(receipt: Mapping[str, Any]) -> bytes:
    """A receipt as its file holds it."""
    return json.dumps(receipt, indent=2, sort_keys=True).encode() + b"\n"


def valid_id(name: str) -> bool:
    """Whether a text may be the id of a receipt."""
    return re.fullmatch(r"\d{8}T\d{6}-[0-9a-f]{8}", name) is not None
