"""A Git repository at a commit, through the `git` program. Nothing is checked out: blobs are read by their hash.

`git+https://host/repo@ref#subdirectory=docs`, as pip writes it; also git+ssh:// and git+file:///.
"""

import base64
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

from retrieval.errors import SourceFailed
from retrieval.labels import is_label_file, labelled_paths
from retrieval.sources.port import Budget, Listing, Progress, SourceFile, printable

_REF = re.compile(r"[A-Za-z0-9_][\w./+-]{0,199}")
_POINTER = b"version https://git-lfs.github.com/spec/"
_FILES = ("100644", "100755")
_POLL_S = 0.1
_SSH = "ssh -oBatchMode=yes -oStrictHostKeyChecking=yes -oConnectTimeout=20"


@dataclass(frozen=True, slots=True)
class Blob:
    """A file of a commit."""

    path: str
    hash: str
    size: int


@dataclass(frozen=True, slots=True)
class GitSource:
    """A repository, which of its commits, and which of its folders. `url` holds no secret; `authorization` may."""

    url: str
    ref: str = "HEAD"
    folder: str = ""
    authorization: str = field(default="", repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, named: str, environment: Mapping[str, str]) -> "GitSource":
        """Read `git+SCHEME://…`.

        Args:
            named: As the user wrote it. A user and password of https go into a header, and nowhere else.
            environment: For the git program, as the user's shell has it.

        Raises:
            SourceFailed: It is not such a name.
        """
        parts = urlsplit(named.removeprefix("git+"))
        path, _, ref = parts.path.rpartition("@") if "@" in parts.path else (parts.path, "", "HEAD")
        folder = parse_qs(parts.fragment).get("subdirectory", [""])[0].strip("/")
        if not _REF.fullmatch(ref) or ".." in ref or ".." in folder.split("/") or not path.strip("/") or parts.query:
            raise SourceFailed(
                "A Git source is git+https://HOST/REPOSITORY@REF#subdirectory=FOLDER; see docs/sources.md."
            )
        if parts.scheme == "ssh":  # the name before the @ is an account; a password there would be shown by `ps`
            host = f"{parts.username}@{parts.hostname}" if parts.username else parts.hostname or ""
        else:
            host = parts.hostname or ""
        if host.startswith("-") or (not host and parts.scheme != "file") or (parts.scheme == "ssh" and parts.password):
            raise SourceFailed("A Git source needs a host, and over ssh a key in place of a password.")
        authority = f"{host}:{parts.port}" if parts.port else host
        url = urlunsplit((parts.scheme, authority, path, "", ""))
        secret = parts.scheme == "https" and (parts.username or parts.password)
        return cls(url, ref, folder, _basic(parts.username, parts.password) if secret else "", environment)

    def fetch(self, staging: Path, budget: Budget, progress: Progress) -> Listing:
        """Fetch the one commit, without history, and copy its files out.

        Raises:
            SourceFailed: There is no git, no such repository or ref, or it is over a bound.
        """
        git = _Git(self, staging / "repository.git", budget)
        progress("fetch", 0, 1)
        git.run("init", "--quiet", "--bare", "--template=", str(git.folder), inside=False)
        no_extras = ("--no-tags", "--no-recurse-submodules", "--no-auto-gc", "--no-write-commit-graph")
        git.run("fetch", "--quiet", "--depth=1", *no_extras, "--", self.url, self.ref)
        commit = git.run("rev-parse", "--verify", "--quiet", "--end-of-options", "FETCH_HEAD^{commit}").decode().strip()
        progress("fetch", 1, 1)
        blobs, notes = self._blobs(git, commit)
        source = f"git+{self.url}@{commit}" + (f"#subdirectory={self.folder}" if self.folder else "")
        listing = _copy(git, blobs, staging, source, progress)
        shutil.rmtree(git.folder)
        whole = frozenset({self.origin}) if not listing.notes else frozenset()
        return Listing(listing.files, whole, (*listing.notes, *notes))

    @property
    def origin(self) -> str:
        """The source without its commit."""
        return f"git+{self.url}" + (f"#subdirectory={self.folder}" if self.folder else "")

    def _blobs(self, git: "_Git", commit: str) -> tuple[list[Blob], list[str]]:
        """The plain files of the commit by path. Hidden ones, links and submodules are passed over."""
        inside = [f"{self.folder}/"] if self.folder else []
        tree = git.run("ls-tree", "-r", "-z", "-l", "--full-tree", commit, "--", *inside)
        blobs, others = [], 0
        for line in filter(None, tree.split(b"\0")):
            about, _, raw = line.partition(b"\t")
            mode, _, blob, size = about.decode("ascii").split()
            path = raw.decode("utf-8", "replace")
            path = path.removeprefix(f"{self.folder}/") if self.folder else path
            if any(part.startswith(".") for part in path.split("/")):
                continue
            if mode in _FILES:
                blobs.append(Blob(path, blob, int(size)))
            else:
                others += 1
        if self.folder and not tree:
            raise SourceFailed(f"{self.origin} has no folder '{self.folder}' at {commit[:12]}.")
        return blobs, [f"{self.origin}: {others} links or submodules passed over"] * bool(others)


def _copy(git: "_Git", blobs: Sequence[Blob], staging: Path, source: str, progress: Progress) -> Listing:
    """Copy blobs into files that are named by number: no path of a repository ever becomes one of this machine."""
    budget = git.budget
    files: list[SourceFile] = []
    wanted: list[tuple[Blob, Path]] = []
    note = ""
    labelled = labelled_paths([blob.path for blob in blobs])
    for number, blob in enumerate(blobs):
        path = staging / str(number)
        if is_label_file(PurePosixPath(blob.path).name):
            continue
        if blob.path in labelled:
            files.append(SourceFile(blob.path, path, source, labels_fault=_LABELS))
            continue
        if blob.size > budget.max_file_bytes:
            files.append(SourceFile(blob.path, path, source, failure=f"more than {budget.max_file_bytes:,} bytes"))
        elif note := budget.exhausted(blob.size):
            break
        else:
            budget.spend(blob.size)
            wanted.append((blob, path))
    progress("copy", 0, len(wanted))
    for done, (blob, path) in enumerate(git.blobs(wanted), start=1):
        pointer = blob.size < 1024 and path.read_bytes().startswith(_POINTER)
        files.append(SourceFile(blob.path, path, source, failure="it is a Git LFS pointer" if pointer else ""))
        progress("copy", done, len(wanted))
    return Listing(tuple(sorted(files, key=lambda file: file.uri)), notes=(f"{source}: {note}",) if note else ())


_LABELS = "labels in a Git repository are not read: check it out and ingest the folder"


class _Git:
    """The git program under bounds: no hooks, no prompts, no configuration but ours, one protocol."""

    def __init__(self, source: GitSource, folder: Path, budget: Budget) -> None:
        program = shutil.which("git", path=source.environment.get("PATH"))
        if program is None:
            raise SourceFailed("The program git is not installed; a Git source needs it.")
        self.folder, self.budget, self._source = folder, budget, source
        settings = {
            "protocol.allow": "never",
            f"protocol.{urlsplit(source.url).scheme}.allow": "always",
            "core.hooksPath": os.devnull,
            "credential.helper": "",
            "http.followRedirects": "false",
            "http.lowSpeedLimit": "100",
            "http.lowSpeedTime": "60",
            "fetch.unpackLimit": "1",
            "gc.auto": "0",
            "maintenance.auto": "false",
        }
        self._command = [program, *(part for name, value in settings.items() for part in ("-c", f"{name}={value}"))]
        inherited = {name: value for name, value in source.environment.items() if not name.startswith("GIT_")}
        self._environment = {
            **inherited,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "false",
            "GIT_SSH_COMMAND": _SSH,
            "LC_ALL": "C",
        }
        if source.authorization:  # in the environment: an argument could be read by every user of the machine
            self._environment |= {
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": f"http.{source.url}.extraHeader",
                "GIT_CONFIG_VALUE_0": f"Authorization: {source.authorization}",
            }

    def run(self, *arguments: str, inside: bool = True) -> bytes:
        """Run a command to its end; its output.

        Raises:
            SourceFailed: It failed, or broke a bound and was killed.
        """
        output, errors = self.folder.with_name("git.out"), self.folder.with_name("git.err")
        with output.open("wb") as out, errors.open("wb") as err, self._started(arguments, inside, out, err) as process:
            self._wait(process)
        if process.returncode:
            said = printable(errors.read_bytes()[-2000:].decode("utf-8", "replace"))
            raise SourceFailed(f"git {arguments[0]} of {self._source.origin} at '{self._source.ref}' failed: {said}")
        return output.read_bytes()

    def blobs(self, wanted: Sequence[tuple[Blob, Path]]) -> Iterator[tuple[Blob, Path]]:
        """Copy blobs to paths, one after the other, through one process."""
        names = self.folder.with_name("wanted")
        names.write_text("".join(f"{blob.hash}\n" for blob, _ in wanted), encoding="ascii")
        with names.open("rb") as asked:
            command = [*self._command, "--git-dir", str(self.folder), "cat-file", "--batch", "--buffer"]
            # No shell; names of the repository are never arguments.
            process = subprocess.Popen(command, stdin=asked, stdout=subprocess.PIPE, env=self._environment)  # noqa: S603
        try:
            stream = process.stdout
            assert stream is not None
            for blob, path in wanted:
                header = stream.readline().split()
                if header[1:] != [b"blob", str(blob.size).encode()]:
                    raise SourceFailed(f"git cat-file of {self._source.origin} ended early.")
                path.write_bytes(stream.read(blob.size + 1)[:-1])
                yield blob, path
        finally:
            process.kill()
            process.communicate()

    def _started(
        self, arguments: Sequence[str], inside: bool, out: IO[bytes], err: IO[bytes]
    ) -> "subprocess.Popen[bytes]":
        where = ["--git-dir", str(self.folder)] if inside else []
        return subprocess.Popen(  # noqa: S603  # no shell; URL and ref stand behind --
            [*self._command, *where, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=self._environment,
            start_new_session=True,  # git starts helpers: they are killed together
        )

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        broken = ""
        try:
            while process.poll() is None and not broken:
                time.sleep(_POLL_S)
                if not self.budget.seconds_left:
                    broken = f"took more than timeout_s, {self.budget.limits.timeout_s:g} seconds"
                elif _size(self.folder) > self.budget.bytes_left:
                    broken = f"is larger than max_bytes, {self.budget.limits.max_bytes:,} bytes"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if broken:
            raise SourceFailed(f"{self._source.origin} {broken} (retrieval.sources).")


def _size(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(parent) / name).stat().st_size
            except OSError:  # git renames its drafts
                continue
    return total


def _basic(user: str | None, password: str | None) -> str:
    pair = f"{unquote(user or '')}:{unquote(password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()
