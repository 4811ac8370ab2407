"""The lock of a corpus; and the words for files to ingest, which live in `retrieval/sources/`."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retrieval.errors import IngestRunning
from retrieval.sources.folder import folders, list_files
from retrieval.sources.port import SourceFile

__all__ = ["SourceFile", "corpus_lock", "folders", "list_files"]


@contextmanager
def corpus_lock(path: Path) -> Iterator[None]:
    """Hold the only right to ingest into a corpus. The kernel frees it when the process ends, however it ends.

    Raises:
        IngestRunning: Another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise IngestRunning(f"Another ingest of the corpus '{path.stem}' is running. Wait for it to end.") from None
        yield
