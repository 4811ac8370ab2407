"""Ingest again whenever watched files change. The only door to watchfiles."""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from threading import Event

from retrieval.sources.folder import watched

DEBOUNCE_MS = 800
"""Changes are gathered until none has come for a step, at most this long."""
RETRY_S = 5.0
_TICK_MS = 200


def watch(
    names: Sequence[str],
    ingest: Callable[[], object],
    *,
    ignore: Collection[Path] = (),
    stop: Event | None = None,
    failed: Callable[[Exception], None] = lambda error: None,
) -> None:
    """Call `ingest` now, and again after every change of what `names` name, until `stop` or Ctrl-C.

    What changes while `ingest` runs is seen afterwards. An ingest that fails is told to `failed` and tried again.

    Args:
        names: Folders, files or patterns.
        ingest: Does the work.
        ignore: Folders whose changes do not count, such as the one that the ingest writes to.
        stop: Set from another thread, it ends the watch.
        failed: Hears of every error.

    Raises:
        PathNotFound: One of the names does not exist at the beginning.
    """
    stop = stop or Event()
    paths = [watched(name) for name in names]
    first = True
    while not stop.is_set():
        try:
            paths = paths if first else [watched(name) for name in names]
            first = False
            for _ in _changes(paths, ignore, stop):
                ingest()
        except KeyboardInterrupt:
            return
        # A watch lives for weeks: whatever befell one ingest, the next may well succeed.
        except Exception as error:  # noqa: BLE001
            failed(error)
            if _slept(stop, RETRY_S):
                return


def _changes(paths: Sequence[Path], ignore: Collection[Path], stop: Event) -> Iterator[None]:
    """Yields once when the watch has begun, and then after each batch of changes. Ends where a path was replaced."""
    from watchfiles import Change
    from watchfiles import watch as changes

    ignored = [path.resolve() for path in ignore]

    def counts(_: Change, named: str) -> bool:
        path = Path(named)
        hidden = any(part.startswith(".") for root in paths if path.is_relative_to(root) for part in _below(path, root))
        return not hidden and not any(path.is_relative_to(folder) for folder in ignored)

    begun, places = False, _places(paths)
    batches = changes(
        *paths,
        watch_filter=counts,
        debounce=DEBOUNCE_MS,
        rust_timeout=_TICK_MS,
        yield_on_timeout=True,  # the first tick says that the watch is on: what changes from then on is not missed
        stop_event=stop,
        raise_interrupt=True,
    )
    for batch in batches:
        if batch or not begun:
            begun = True
            yield
        elif _places(paths) != places:  # the kernel watches what was there before
            return


def _places(paths: Sequence[Path]) -> list[tuple[int, int]]:
    found = [path.stat() for path in paths]
    return [(status.st_dev, status.st_ino) for status in found]


def _below(path: Path, root: Path) -> tuple[str, ...]:
    return path.relative_to(root).parts


def _slept(stop: Event, seconds: float) -> bool:
    """Wait; whether it is time to stop."""
    try:
        return stop.wait(seconds)
    except KeyboardInterrupt:
        return True
