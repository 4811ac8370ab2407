"""Writing cases and cards: a reader sees the old file or the new one, whatever happens in between."""

import json
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from evals.errors import GoldenSetError
from evals.golden.cards import Card, SplitBy, card_parts, counted, parse_front
from evals.golden.cases import Case, cases_hash, load_cases

_KEY = re.compile(r"[\"']?([A-Za-z_]\w*)[\"']?[ \t]*:")
_CONTINUED = re.compile(r"[ \t}\]-]|$")


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` in the place of a file, durably; the old content stands until the new one is on the disk."""
    path = path.resolve()  # behind a link, the file it leads to is replaced
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            shutil.copymode(path, partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def case_line(case: Case) -> str:
    """A case as its line holds it; fields that have their default are left out."""
    return json.dumps(case.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False)


def write_cases(path: Path, cases: Iterable[Case]) -> None:
    """Write a cases.jsonl whole or not at all."""
    replace_file(path, "".join(case_line(case) + "\n" for case in cases).encode())


def write_card(path: Path, cases: Sequence[Case], sha256: str, split_by: SplitBy | None = None) -> Card:
    """Bring what a card states about its cases up to date. All else in it stays as it is, to the character.

    Args:
        path: Of card.md, which exists.
        cases: All cases of the set.
        sha256: Of its cases.jsonl.
        split_by: What decided the split; None keeps what the card says.

    Raises:
        GoldenSetError: The card is missing, or something else in its front matter is wrong.
    """
    front, prose = card_parts(path)
    stated: dict[str, Any] = {"sha256": sha256, **counted(cases)}
    if split_by is not None:
        stated["split_by"] = split_by
    for key, value in stated.items():
        front = _with(front, key, value)
    card = parse_front(front, path)
    if wrong := [key for key, value in stated.items() if getattr(card, key) != value]:
        raise GoldenSetError(
            f"{path}: write {', '.join(wrong)} by hand; the front matter states it in an unusual form."
        )
    replace_file(path, f"---\n{front}\n---\n{prose}".encode())
    return card


def fix_card(folder: Path) -> Card:
    """Make the card of a golden set agree with its cases.

    Raises:
        GoldenSetError: The cases or the card cannot be read.
    """
    path = folder / "cases.jsonl"
    return write_card(folder / "card.md", load_cases(path), cases_hash(path))


def _with(front: str, key: str, value: Any) -> str:
    """The front matter with one top-level key set: in its place, or at the end. 0 and nothing are not added."""
    flow = isinstance(value, dict)
    text = yaml.safe_dump(value if flow else {key: value}, default_flow_style=flow, sort_keys=False, width=10_000)
    said = f"{key}: {text}" if flow else text
    lines = front.split("\n")
    for start, line in enumerate(lines):
        found = _KEY.match(line)
        if found and found[1] == key:
            end = start + 1
            while end < len(lines) and _CONTINUED.match(lines[end]):
                end += 1
            while not lines[end - 1].strip():
                end -= 1
            return "\n".join([*lines[:start], said.rstrip("\n"), *lines[end:]])
    return "\n".join([*lines, said.rstrip("\n")]) if value else front
