"""Writing files whole or not at all."""

import os
import secrets
from contextlib import suppress
from pathlib import Path


def write_file(path: Path, data: bytes, *, mode: int = 0o644, replace: bool = True) -> bool:
    """Write a file durably; it appears under its name in one step.

    Args:
        path: Where; its folder is made where it is missing.
        data: All of it.
        mode: Its permissions.
        replace: Whether it may take the place of another; if not, one that is there stays.

    Returns:
        Whether it was written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            draft.replace(path)
        else:
            try:
                os.link(draft, path)
            except FileExistsError:
                return False
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()
    sync_folder(path.parent)
    return True


def sync_folder(folder: Path) -> None:
    """Make what appeared in a folder, or went from it, survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
