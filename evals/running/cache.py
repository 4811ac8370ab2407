"""Turns that were measured before: by release, documents, case and repeat, so that repeats never share one."""

import hashlib
import os
import tempfile
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from app.types import ChatResult
from evals.golden.cases import Case

_RESULT = TypeAdapter(ChatResult)


class ResultCache:
    """A folder of results. The release's id covers the code, so that a changed program never meets an old answer.

    Args:
        folder: Where results lie; None for a cache that knows and keeps nothing.
        release: The id of the release that answers.
    """

    def __init__(self, folder: Path | None, release: str) -> None:
        self._folder = folder
        self._release = release

    def get(self, case: Case, snapshot: str, repeat: int) -> ChatResult | None:
        """The result of this repeat of the case, or None. A file that cannot be read counts as none."""
        if self._folder is None:
            return None
        try:
            return _RESULT.validate_json(self._path(self._folder, case, snapshot, repeat).read_bytes())
        except (OSError, ValidationError):
            return None

    def put(self, case: Case, snapshot: str, repeat: int, result: ChatResult) -> None:
        """Keep a result, whole or not at all."""
        if self._folder is None:
            return
        path = self._path(self._folder, case, snapshot, repeat)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(_RESULT.dump_json(result))
        Path(partial).replace(path)

    def _path(self, folder: Path, case: Case, snapshot: str, repeat: int) -> Path:
        key = hashlib.sha256("\0".join((self._release, snapshot, case.sha256, str(repeat))).encode()).hexdigest()
        return folder / key[:2] / f"{key}.json"
