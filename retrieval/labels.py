"""Labels of documents from files beside them: `_metadata.yaml` of a folder, `NAME.meta.yaml` of one file, front matter.

What is nearer wins: outer folder, inner folder, an entry for the document, its front matter, its own file. Front matter
is written by whoever wrote the document, so it gives attributes only: a document cannot say who may read it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from retrieval.errors import LabelsBroken
from retrieval.reading import open_regular
from retrieval.types import Attribute, Labels

FOLDER_FILE = "_metadata.yaml"
SIDECAR = ".meta.yaml"
MAX_BYTES = 1_000_000
MAX_FRONT_MATTER_BYTES = 20_000
MAX_ATTRIBUTES = 100
MAX_VALUE_CHARS = 2_000
_WHO = ("tenant", "groups")


def is_label_file(name: str) -> bool:
    """Whether a file holds labels and is no document."""
    return name == FOLDER_FILE or name.endswith(SIDECAR)


def labelled_paths(paths: Iterable[str]) -> frozenset[str]:
    """Those paths, among all of a tree, of which a file of labels says something."""
    every = set(paths)
    folders = {str(PurePosixPath(path).parent) for path in every if PurePosixPath(path).name == FOLDER_FILE}
    return frozenset(
        path
        for path in every
        if path + SIDECAR in every or not folders.isdisjoint(map(str, PurePosixPath(path).parents))
    )


@dataclass(slots=True)
class LabelReader:
    """Reads the labels of files under one root, each folder's file once."""

    root: Path
    _folders: dict[Path, Mapping[str, Any]] = field(default_factory=dict)

    def labels(self, path: Path) -> Labels:
        """The labels of a file.

        Raises:
            LabelsBroken: A file that has a say in them cannot be read or says what no label can hold.
        """
        said: dict[str, Any] = {}
        for folder in self._above(path):
            stated = self._folder(folder)
            said |= {name: value for name, value in stated.items() if name != "documents"}
            for pattern, own in _entries(stated, folder).items():
                if fnmatch(path.relative_to(folder).as_posix(), pattern):
                    said |= own
        said |= {name: value for name, value in _front_matter(path).items() if name not in _WHO}
        said |= _mapping(path.with_name(path.name + SIDECAR))
        return to_labels(said, path.name)

    def _above(self, path: Path) -> list[Path]:
        folders = [folder for folder in path.parents if folder == self.root or folder.is_relative_to(self.root)]
        return folders[::-1] or [path.parent]

    def _folder(self, folder: Path) -> Mapping[str, Any]:
        if folder not in self._folders:
            self._folders[folder] = _mapping(folder / FOLDER_FILE)
        return self._folders[folder]


def to_labels(said: Mapping[str, Any], name: str) -> Labels:
    """What was said, as labels.

    Raises:
        LabelsBroken: A value is no label.
    """
    tenant, groups = said.get("tenant") or "", said.get("groups") or ()
    groups = [part.strip() for part in groups.split(",")] if isinstance(groups, str) else groups
    if not isinstance(tenant, str) or len(tenant) > 80 or "\0" in tenant:
        raise LabelsBroken(f"{name}: the tenant must be a text of at most 80 characters.")
    if not isinstance(groups, list | tuple) or not all(isinstance(group, str) and group for group in groups):
        raise LabelsBroken(f"{name}: groups must be a list of names.")
    attributes = {
        str(key): _attribute(str(key), value, name)
        for key, value in said.items()
        if key not in _WHO and value is not None
    }
    if len(attributes) > MAX_ATTRIBUTES:
        raise LabelsBroken(f"{name}: more than {MAX_ATTRIBUTES} attributes.")
    return Labels(tenant, tuple(sorted(set(groups))), dict(sorted(attributes.items())))


def _attribute(key: str, value: Any, name: str) -> Attribute:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list) and all(isinstance(item, str | int | float | bool) for item in value):
        value = ", ".join(str(item) for item in value)
    if not isinstance(value, str) or len(value) > MAX_VALUE_CHARS or len(key) > 80:
        raise LabelsBroken(f"{name}: '{key[:80]}' must be a text, number, date, yes or no, or a list of them.")
    return value


def _entries(stated: Mapping[str, Any], folder: Path) -> Mapping[str, Mapping[str, Any]]:
    entries = stated.get("documents") or {}
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        raise LabelsBroken(f"{folder.name}/{FOLDER_FILE}: 'documents' must map names or patterns to labels.")
    return {str(pattern): entry for pattern, entry in entries.items()}


def _mapping(path: Path) -> Mapping[str, Any]:
    """A YAML file as a mapping; what is not there says nothing."""
    try:
        with open_regular(path) as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise LabelsBroken(f"{path.name} cannot be read: {error.strerror}.") from None
    if len(data) > MAX_BYTES:
        raise LabelsBroken(f"{path.name} is larger than {MAX_BYTES:,} bytes.")
    return _parsed(data, path.name)


def _parsed(text: bytes | str, name: str) -> Mapping[str, Any]:
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise LabelsBroken(f"{name} is not YAML{where}.") from None
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise LabelsBroken(f"{name} must hold names and values.")
    return found


def _front_matter(path: Path) -> Mapping[str, Any]:
    """What stands between two lines of dashes at the very top of a Markdown file."""
    if path.suffix.lower() not in (".md", ".markdown"):
        return {}
    try:
        with open_regular(path) as file:
            head = file.read(MAX_FRONT_MATTER_BYTES).decode("utf-8", "replace").replace("\r\n", "\n")
    except OSError:
        return {}  # the parser will say why it cannot be read
    if not head.startswith("---\n") or (end := head.find("\n---\n", 3)) < 0:
        return {}
    return _parsed(head[4 : end + 1], f"the front matter of {path.name}")
