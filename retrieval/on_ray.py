"""Parse and embed as Ray tasks, on this machine or on a cluster. The only door to Ray.

The driver alone reads files and writes to the database and the index; a task gets bytes or texts and returns a value.
So a task that is lost with its worker or its node runs again somewhere else, and nothing was half done.
"""

import functools
import os
import socket
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from retrieval.config import ParseLimits
from retrieval.embedders.port import Embedder, Vectors
from retrieval.errors import EngineFailed, LibraryMissing, ParseFailure
from retrieval.types import ParsedFile
from retrieval.workers import ParserPool, read_file

_RETRIES = 5
_AHEAD = 2  # tasks handed out for each core: enough to keep it busy while results travel
_MAX_FLYING_BYTES = 500_000_000


@contextmanager
def ray_engine(address: str, limits: ParseLimits) -> Iterator["RayEngine"]:
    """Connect to a cluster, or start one on this machine for as long as the block runs.

    Args:
        address: "" starts one here, reachable by this machine only; else as `ray.init` takes it, such as
            "10.0.0.5:6379" or "auto". Every node needs this package, its extras and its weights installed.
        limits: Of one file.

    Raises:
        LibraryMissing: Ray is not installed.
        EngineFailed: The cluster cannot be reached.
    """
    try:
        import ray
    except ImportError:
        raise LibraryMissing("The engine ray needs another library. Run: pip install 'assay[ray]'") from None
    _knock(address)
    here = {} if address else {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    # Sums in another order differ in the last digit: a worker computes on as many threads as this process would.
    threads = {"env_vars": {"OMP_NUM_THREADS": str(os.cpu_count() or 1)}}
    try:
        ray.init(address=address or "local", log_to_driver=False, logging_level="ERROR", runtime_env=threads, **here)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise EngineFailed(f"Ray cannot be reached at '{address or 'local'}': {type(error).__name__}.") from None
    try:
        yield RayEngine(limits, max(1, int(ray.cluster_resources().get("CPU", 1))))
    finally:
        ray.shutdown()


@dataclass(frozen=True, slots=True)
class RayEngine:
    """In place of a `ParserPool`, and of embedding in this process."""

    limits: ParseLimits
    cores: int

    @contextmanager
    def parser(self) -> Iterator["RayEngine"]:
        """Itself: nothing needs to be opened."""
        yield self

    def parse_all(self, files: Iterable[tuple[str, Path]]) -> Iterator[tuple[str, ParsedFile | ParseFailure]]:
        """Parse (uri, path) pairs and yield them as they complete. Each file is parsed under the same bounds as here.

        Raises:
            EngineFailed: A task was lost time and again.
        """
        import ray

        task = ray.remote(max_retries=_RETRIES)(_parse)
        flying: dict[Any, tuple[str, int, Any]] = {}
        for uri, path in files:
            try:
                data, modified = read_file(path, self.limits)
            except ParseFailure as failure:
                yield uri, ParseFailure(failure.code, failure.detail, failure.stage)
                continue
            while flying and (
                len(flying) >= _AHEAD * self.cores
                or len(data) + sum(size for _, size, _ in flying.values()) > _MAX_FLYING_BYTES
            ):
                yield self._first(flying)
            flying[task.remote(data, self.limits)] = (uri, len(data), modified)
        while flying:
            yield self._first(flying)

    def embed(self, embedder: Embedder, groups: Iterable[Sequence[str]]) -> Iterator[Vectors]:
        """The vectors of each group, in order. A group is one task: its texts are embedded together, as they are here.

        Raises:
            EngineFailed: A task was lost time and again.
        """
        import ray

        task = ray.remote(max_retries=_RETRIES)(_embed)
        shared = ray.put(embedder)
        flying: deque[Any] = deque()
        for texts in groups:
            if len(flying) >= _AHEAD * self.cores:
                yield _value(flying.popleft())
            flying.append(task.remote(shared, list(texts)))
        while flying:
            yield _value(flying.popleft())

    def _first(self, flying: dict[Any, tuple[str, int, Any]]) -> tuple[str, ParsedFile | ParseFailure]:
        """What is ready first, taken out of `flying`."""
        import ray

        (ready, *_), _ = ray.wait(list(flying), num_returns=1)
        uri, _, modified = flying.pop(ready)
        result = _value(ready)
        # The worker's copy of the file has a time of its own.
        return uri, replace(result, modified=modified) if isinstance(result, ParsedFile) else result


def _knock(address: str) -> None:
    """Ask for the port first: Ray itself tries for minutes, and fills the terminal.

    Raises:
        EngineFailed: Nobody answers there.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
    except OSError:
        raise EngineFailed(f"No Ray cluster answers at '{address}' (retrieval.ray_address).") from None


def _value(reference: Any) -> Any:
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        return ray.get(reference)
    except RayTaskError as error:  # the task's own error: a bug, or weights that are missing there
        raise EngineFailed(
            f"A task on Ray failed: {type(error.cause).__name__}. Are all nodes set up alike?"
        ) from error
    except RayError as error:
        raise EngineFailed(f"A task on Ray was lost {_RETRIES + 1} times: {type(error).__name__}.") from None


_LOADED: dict[str, Embedder] = {}
"""In a worker: the models that it has loaded, by fingerprint."""


def _embed(embedder: Embedder, texts: list[str]) -> Vectors:
    return _LOADED.setdefault(embedder.fingerprint, embedder).embed_passages(texts)


@functools.cache
def _pool(limits: ParseLimits) -> ParserPool:
    """In a worker: its pool of one, so that no file can hang, crash or bloat the worker itself."""
    return ParserPool(limits, 1).__enter__()


def _parse(data: bytes, limits: ParseLimits) -> ParsedFile | ParseFailure:
    with NamedTemporaryFile(prefix="assay-ray-") as copy:
        copy.write(data)
        copy.flush()
        ((_, result),) = _pool(limits).parse_all([("", Path(copy.name))])
    return result
