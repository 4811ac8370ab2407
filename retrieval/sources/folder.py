"""Folders, files and patterns on this machine, read in place."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from retrieval.errors import LabelsBroken, PathNotFound
from retrieval.labels import LabelReader, is_label_file
from retrieval.sources.port import Budget, Listing, Progress, SourceFile


@dataclass(frozen=True, slots=True)
class FolderSource:
    """What a path or pattern names. Nothing is copied, and no bound holds: the files lie here already."""

    named: str

    def fetch(self, staging: Path, budget: Budget, progress: Progress) -> Listing:
        """List the files; a whole folder can be pruned.

        Raises:
            PathNotFound: The path or pattern matches nothing.
        """
        return Listing(tuple(list_files([self.named])), folders([self.named]))


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


def watched(named: str) -> Path:
    """The folder or file on which every change to what `named` names can be seen.

    Raises:
        PathNotFound: It does not exist.
    """
    path = Path(named).expanduser()
    base = path if path.exists() or not glob.has_magic(named) else _glob_base(path)
    if not base.exists():
        raise _not_there(named)
    return base.resolve()


def _expand(named: str) -> list[SourceFile]:
    path = Path(named).expanduser()
    if path.is_dir():
        root = path.resolve()
        return _labelled([SourceFile(_uri(file.relative_to(root)), file, str(root)) for file in _walk(root)], root)
    if path.is_file():
        found = path.resolve()
        return _labelled([SourceFile(_uri(Path(path.name)), found, str(found))], found.parent)
    if not glob.has_magic(named):
        raise _not_there(named)
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


def _not_there(named: str) -> PathNotFound:
    return PathNotFound(f"'{named}' does not exist. Name a file, a folder or a quoted pattern such as 'docs/**/*.md'.")


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
