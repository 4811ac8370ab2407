"""Erasures that were begun: written down before anything is erased, sealed, and destroyed when nothing is left."""

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.files import sync_folder, write_file
from app.signing import Keys
from retrieval.erasure import Holdings, Named
from retrieval.store.erasure import Held

_SUFFIX = ".intent"


@dataclass(frozen=True, slots=True)
class Intent:
    """What an erasure is about to do. `id` is that of its receipt."""

    id: str
    named: Named
    who: str
    begun: str
    holdings: Holdings
    words: tuple[str, ...]
    found: Mapping[str, int]
    elsewhere: tuple[str, ...] = ()
    """Names of places outside of the home that it reaches."""


class Intents:
    """The intents of a home. Each has a key of its own, which goes with it: what a backup keeps of it is noise."""

    def __init__(self, folder: Path, keys: Keys) -> None:
        self._folder = folder
        self._keys = keys

    def begin(self, intent: Intent) -> None:
        """Write an intent, whole or not at all."""
        plain = zlib.compress(json.dumps(_said(intent)).encode())
        sealed = base64.urlsafe_b64decode(self._keys.sealing(intent.id).seal(plain))
        write_file(self._path(intent.id), sealed, mode=0o600)

    def begun(self) -> list[str]:
        """The ids of the intents that are not done, oldest first."""
        return sorted(path.stem for path in self._folder.glob(f"*{_SUFFIX}"))

    def read(self, name: str) -> Intent:
        """An intent.

        Raises:
            ConfigError: Its key is gone, or it is damaged.
        """
        sealed = base64.urlsafe_b64encode(self._path(name).read_bytes())
        return _meant(json.loads(zlib.decompress(self._keys.sealing(name).open(sealed))))

    def done(self, name: str) -> None:
        """Destroy an intent, its key first."""
        self._keys.sealing(name).destroy()
        self._path(name).unlink(missing_ok=True)
        sync_folder(self._folder)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{_SUFFIX}"


def _said(intent: Intent) -> dict[str, Any]:
    holdings = {**asdict(intent.holdings), "vectors": [vector.hex() for vector in intent.holdings.vectors]}
    return {**asdict(intent), "holdings": holdings}


def _meant(said: dict[str, Any]) -> Intent:
    held = said["holdings"]
    holdings = Holdings(
        versions=tuple(Held(**version) for version in held["versions"]),
        places=tuple((corpus, snapshot, doc_id) for corpus, snapshot, doc_id in held["places"]),
        quarantined=tuple((corpus, uri) for corpus, uri in held["quarantined"]),
        doc_ids=tuple(held["doc_ids"]),
        chunks=held["chunks"],
        hashes=tuple(held["hashes"]),
        vectors=tuple(bytes.fromhex(vector) for vector in held["vectors"]),
        copies=tuple(held["copies"]),
    )
    named = Named(said["named"]["document"], said["named"]["subject"], tuple(said["named"]["corpora"]))
    return Intent(
        id=said["id"],
        named=named,
        who=said["who"],
        begun=said["begun"],
        holdings=holdings,
        words=tuple(said["words"]),
        found=said["found"],
        elsewhere=tuple(said["elsewhere"]),
    )
