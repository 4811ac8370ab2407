"""Parsing in worker processes: no file can hang, crash, bloat or outlive the program.

A worker is forked from multiprocessing's fork server: a clean process without the parent's threads and models, so a
new worker costs milliseconds and inherits neither torch nor its locks.
"""

import fcntl
import hashlib
import logging
import multiprocessing
import os
import resource
import signal
import stat
import sys
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from retrieval.config import ParseLimits
from retrieval.errors import ParseFailure
from retrieval.parsing import parse_bytes
from retrieval.types import ParsedFile, ReasonCode, Stage

if TYPE_CHECKING:
    from pebble import ProcessFuture, ProcessPool

_IN_FLIGHT = 3  # files handed out per worker: enough to keep it busy, few enough to keep results out of memory
_TASKS_PER_WORKER = 500  # a fresh worker now and then gives leaked memory back
_GRACE_S = 30.0  # beyond the time limit: then the pool itself is stuck
_ATTEMPTS = 2


def parse_file(path: Path, limits: ParseLimits) -> ParsedFile | ParseFailure:
    """Read and parse one file. Runs in the worker; failures are values, for nothing is wrong with the program."""
    _bound_memory(limits.max_memory_bytes)
    try:
        data, modified = read_file(path, limits)
        parsed = parse_bytes(data, limits)
    except ParseFailure as failure:
        return ParseFailure(failure.code, failure.detail, failure.stage)  # without its traceback and cause
    except MemoryError:
        return ParseFailure(ReasonCode.OUT_OF_MEMORY, f"needs more than {limits.max_memory_bytes:,} bytes of memory")
    return ParsedFile(hashlib.sha256(data).hexdigest(), modified, parsed)


class ParserPool:
    """A pool of parser processes. Use it as a context manager; `parse_all` may be called many times."""

    def __init__(self, limits: ParseLimits, workers: int) -> None:
        self._limits = limits
        self._workers = workers
        self._pool: ProcessPool | None = None

    def __enter__(self) -> Self:
        self._pool = self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    def parse_all(self, files: Iterable[tuple[str, Path]]) -> Iterator[tuple[str, ParsedFile | ParseFailure]]:
        """Parse files and yield (key, result) as they complete. Only a few are in flight at any time.

        Args:
            files: Keys (the caller's names) with paths; drawn from as workers become free.
        """
        waiting = (_Job(key, path) for key, path in files)
        flying: dict[ProcessFuture[ParsedFile | ParseFailure], _Job] = {}
        try:
            while True:
                for job in islice(waiting, _IN_FLIGHT * self._workers - len(flying)):
                    flying[self._submit(job)] = job
                if not flying:
                    return
                done, _ = wait(flying, timeout=self._limits.timeout_s + _GRACE_S, return_when=FIRST_COMPLETED)
                lost = list(flying) if not done else [future for future in done if _was_lost(future)]
                if lost:
                    self._restart()
                for future in lost:
                    job = flying.pop(future)
                    job.attempts += 1
                    if job.attempts < _ATTEMPTS:
                        flying[self._submit(job)] = job
                    else:
                        yield job.key, ParseFailure(ReasonCode.CRASHED, "the parser pool broke twice on this file")
                for future in done.difference(lost):
                    yield flying.pop(future).key, _result(future, self._limits)
        finally:
            for future in flying:  # the caller stopped early
                future.cancel()

    def _submit(self, job: "_Job") -> "ProcessFuture[ParsedFile | ParseFailure]":
        if self._pool is None:
            raise RuntimeError("enter the ParserPool first")
        return self._pool.schedule(parse_file, args=(job.path, self._limits), timeout=self._limits.timeout_s)

    def _start(self) -> "ProcessPool":
        from pebble import ProcessPool

        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["retrieval.preload"])
        return ProcessPool(self._workers, max_tasks=_TASKS_PER_WORKER, initializer=_set_up, context=context)

    def _stop(self) -> None:
        if self._pool is not None:
            self._pool.stop()
            self._pool.join()
            self._pool = None

    def _restart(self) -> None:
        self._stop()
        self._pool = self._start()


@dataclass(slots=True)
class _Job:
    key: str
    path: Path
    attempts: int = 0


def _was_lost(future: "ProcessFuture[ParsedFile | ParseFailure]") -> bool:
    """Whether the pool broke under a file, which says nothing about the file."""
    return future.cancelled() or isinstance(future.exception(), BrokenExecutor)


def _result(future: "ProcessFuture[ParsedFile | ParseFailure]", limits: ParseLimits) -> ParsedFile | ParseFailure:
    from pebble import ProcessExpired

    try:
        result: ParsedFile | ParseFailure = future.result()
    except TimeoutError:
        return ParseFailure(ReasonCode.TIMED_OUT, f"parsing took more than {limits.timeout_s:g} s")
    except ProcessExpired as error:
        return ParseFailure(ReasonCode.CRASHED, f"the parser process died with exit code {error.exitcode}")
    except MemoryError:  # while the result was sent
        return ParseFailure(ReasonCode.OUT_OF_MEMORY, f"needs more than {limits.max_memory_bytes:,} bytes of memory")
    except Exception as error:  # noqa: BLE001  # whatever it was, it is this file's failure and the rest go on
        return ParseFailure(ReasonCode.CRASHED, f"the parser process raised {type(error).__name__}")
    return result


def read_file(path: Path, limits: ParseLimits) -> tuple[bytes, datetime]:
    """The bytes of a file and when it was modified, in UTC.

    Raises:
        ParseFailure: It cannot be read, or is over the bound.
    """
    try:
        # Non-blocking, or opening a FIFO would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ParseFailure(ReasonCode.UNREADABLE, "it is not a regular file", Stage.READ)
            if status.st_size > limits.max_file_bytes:
                raise _too_large(limits)
            data = file.read(limits.max_file_bytes + 1)
    except OSError as error:
        raise ParseFailure(ReasonCode.UNREADABLE, error.strerror or type(error).__name__, Stage.READ) from error
    if len(data) > limits.max_file_bytes:  # it grew
        raise _too_large(limits)
    try:
        modified = datetime.fromtimestamp(status.st_mtime, UTC)
    except (ValueError, OverflowError):  # a file system may hold the year 33658
        modified = datetime.fromtimestamp(0, UTC)
    return data, modified


def _too_large(limits: ParseLimits) -> ParseFailure:
    return ParseFailure(ReasonCode.TOO_LARGE, f"more than {limits.max_file_bytes:,} bytes", Stage.READ)


def _set_up() -> None:
    """Prepare a worker: it dies with its parent, and third-party parsers keep their remarks to themselves."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # at a time-out: no Python handler, which C code could keep waiting
    warnings.simplefilter("ignore")
    logging.getLogger().addHandler(logging.NullHandler())
    if sys.platform == "linux" and (parent := multiprocessing.parent_process()) is not None:
        # The kernel sends SIGKILL when the parent's end of this pipe closes, however the parent died and whatever
        # the worker is doing. (PR_SET_PDEATHSIG would follow the fork server, which lives on while workers do.)
        fcntl.fcntl(parent.sentinel, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(parent.sentinel, fcntl.F_SETSIG, signal.SIGKILL)
        flags = fcntl.fcntl(parent.sentinel, fcntl.F_GETFL)
        fcntl.fcntl(parent.sentinel, fcntl.F_SETFL, flags | os.O_ASYNC)


def _bound_memory(max_bytes: int) -> None:
    """Let the address space grow by `max_bytes` from what it is now. Only Linux tells and enforces it."""
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split(maxsplit=1)[0])
        limit = pages * resource.getpagesize() + max_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
