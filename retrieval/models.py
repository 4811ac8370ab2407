"""Model folders that people bring: found, checked and named by what is in them."""

import hashlib
from pathlib import Path

from retrieval.errors import ModelMissing

_RUNS_CODE = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".py")


def checked_folder(folder: Path) -> Path:
    """A folder whose weights cannot run code.

    Raises:
        ModelMissing: There is no such folder, no safetensors in it, or files in a format that can run code.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()] if folder.is_dir() else []
    if not any(path.suffix == ".safetensors" for path in files):
        raise ModelMissing(f"'{folder}' holds no model: a folder with model.safetensors and config.json is needed.")
    for path in files:
        if path.suffix in _RUNS_CODE:
            raise ModelMissing(f"{path} could run code when it is loaded. Save the model as safetensors, without it.")
    return folder.resolve()


def fingerprint(folder: Path) -> str:
    """12 hexadecimal digits that say which files with which bytes are in a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            digest.update(f"{path.relative_to(folder)}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\0".encode())
    return digest.hexdigest()[:12]
