"""Which files an ingest reads, and under which uri each is known."""

import fcntl
import glob
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from retrieval.errors import IngestRunning, LabelsBroken, PathNotFound
from retrieval.labels import LabelReader, is_label_file
from retrieval.types import UNLABELLED, Labels


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to ingest. `uri` is its path within `source`, the folder or file that was named."""

    uri: str
    path: Path
    source: str
    labels: Labels = UNLABELLED
    labels_fault: str = ""
    """Why the labels could not be read: such a file becomes no document, for nobody knows who may see it."""


def list_files(paths: Sequence[str | Path]) -> list[SourceFile]:
    """The files that folders, globs and single paths name, in the order of their uris within each path.

    Hidden files and links out of a folder are passed over.

    Raises:
        PathNotFound: A path or pattern matches nothing.
    """
    return [file for path in paths for file in _expand(str(path))]


def folders(paths: Sequence[str | Path]) -> frozenset[str]:
    """The folders among `paths`, as sources: what an ingest with prune may remove vanished files of."""
    named = (Path(path).expanduser() for path in paths)
    return frozenset(str(path.resolve()) for path in named if path.is_dir())


def _expand(named: str) -> list[SourceFile]:
    path = Path(named).expanduser()
    if path.is_dir():
        root = path.resolve()
        return _labelled([SourceFile(_uri(file.relative_to(root)), file, str(root)) for file in _walk(root)], root)
    if path.is_file():
        found = path.resolve()
        return _labelled([SourceFile(_uri(Path(path.name)), found, str(found))], found.parent)
    if not glob.has_magic(named):
        raise PathNotFound(
            f"'{named}' does not exist. Name a file, a folder or a quoted pattern such as 'docs/**/*.md'."
        )
    base = _glob_base(path)
    files = sorted(Path(match).resolve() for match in glob.glob(str(path), recursive=True) if Path(match).is_file())
    if not files:
        raise PathNotFound(f"The pattern '{named}' matches no file.")
    inside = [file for file in files if file.is_relative_to(base) and not is_label_file(file.name)]
    return _labelled([SourceFile(_uri(file.relative_to(base)), file, str(base)) for file in inside], base)


def _labelled(files: Sequence[SourceFile], root: Path) -> list[SourceFile]:
    reader = LabelReader(root)
    found = []
    for file in files:
        try:
            found.append(replace(file, labels=reader.labels(file.path)))
        except LabelsBroken as error:
            found.append(replace(file, labels_fault=str(error)))
    return found


def _walk(root: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(root, followlinks=False):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(files):
            file = Path(folder) / name
            inside = not file.is_symlink() or file.resolve().is_relative_to(root)
            if not name.startswith(".") and not is_label_file(name) and inside and file.exists():
                yield file


def _glob_base(pattern: Path) -> Path:
    """The part of a pattern before its first wild card."""
    parts = []
    for part in pattern.parts[:-1]:
        if glob.has_magic(part):
            break
        parts.append(part)
    return Path(*parts).resolve()


def _uri(path: Path) -> str:
    """A path as text; bytes of a name that are not UTF-8 become replacement characters."""
    return os.fsencode(path.as_posix()).decode("utf-8", "replace")


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
