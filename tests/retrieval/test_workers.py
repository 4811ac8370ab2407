import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from retrieval.config import ParseLimits
from retrieval.errors import ParseFailure
from retrieval.types import ParsedFile, ReasonCode, Stage
from retrieval.workers import ParserPool
from tests.retrieval import samples

pytestmark = pytest.mark.enable_socket  # the fork server listens on a Unix socket

LIMITS = ParseLimits(timeout_s=20)
# A page that keeps lexbor busy for minutes inside C, with the interpreter's lock held.
SLOW = b"<html>" + b"<div>" * 200_000
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and RLIMIT_AS")


@pytest.fixture(scope="module")
def pool() -> Iterator[ParserPool]:
    with ParserPool(LIMITS, workers=2) as running:
        yield running


def write(folder: Path, files: dict[str, bytes]) -> list[tuple[str, Path]]:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [(name, folder / name) for name in files]


def test_files_become_parsed_files(pool: ParserPool, tmp_path: Path) -> None:
    files = write(tmp_path, {"a.docx": samples.a_docx(), "b.bin": samples.a_pdf(), "c": b"Plain words."})
    os.utime(tmp_path / "c", (1_700_000_000, 1_700_000_000))
    results = dict(pool.parse_all(files))
    assert set(results) == {"a.docx", "b.bin", "c"}
    plain = results["c"]
    assert isinstance(plain, ParsedFile)
    assert plain.parsed.text == "Plain words."
    assert plain.modified == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert plain.sha256 == hashlib.sha256(b"Plain words.").hexdigest()


def test_the_pool_is_used_again_and_draws_files_as_it_goes(pool: ParserPool, tmp_path: Path) -> None:
    files = write(tmp_path, {f"{number}.txt": f"Text {number}".encode() for number in range(60)})
    drawn: list[str] = []

    def drawing() -> Iterator[tuple[str, Path]]:
        for file in files:
            drawn.append(file[0])
            yield file

    results = pool.parse_all(drawing())
    next(results)
    assert len(drawn) <= 8
    assert len(list(results)) == 59


def test_a_caller_may_stop_early(pool: ParserPool, tmp_path: Path) -> None:
    files = write(tmp_path, {f"{number}.txt": b"some words" for number in range(20)})
    results = pool.parse_all(files)
    next(results)
    results.close()
    assert len(list(pool.parse_all(files))) == 20


def test_unreadable_files_are_results(pool: ParserPool, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    files = [("missing", tmp_path / "none"), ("folder", tmp_path), ("fifo", tmp_path / "fifo")]
    for _, result in pool.parse_all(files):
        assert isinstance(result, ParseFailure)
        assert (result.code, result.stage) == (ReasonCode.UNREADABLE, Stage.READ)


def test_too_large_is_seen_before_reading(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    with ParserPool(LIMITS, workers=1) as small:
        [(_, result)] = small.parse_all([("sparse", tmp_path / "sparse")])
    assert isinstance(result, ParseFailure)
    assert (result.code, result.stage) == (ReasonCode.TOO_LARGE, Stage.READ)


def test_a_file_that_hangs_times_out_and_the_rest_go_on(tmp_path: Path) -> None:
    files = write(tmp_path, {"slow.html": SLOW, **{f"{number}.txt": b"some words" for number in range(6)}})
    started = time.monotonic()
    with ParserPool(ParseLimits(timeout_s=1), workers=1) as strict:
        results = dict(strict.parse_all(files))
    assert time.monotonic() - started < 10
    slow = results.pop("slow.html")
    assert isinstance(slow, ParseFailure) and slow.code is ReasonCode.TIMED_OUT
    assert all(isinstance(result, ParsedFile) for result in results.values())


@LINUX
def test_memory_is_bounded(tmp_path: Path) -> None:
    files = write(tmp_path, {"big.txt": b"word " * 6_000_000, "small.txt": b"some words"})
    with ParserPool(ParseLimits(max_memory_bytes=60_000_000), workers=1) as tight:
        results = dict(tight.parse_all(files))
    big = results["big.txt"]
    assert isinstance(big, ParseFailure) and big.code is ReasonCode.OUT_OF_MEMORY
    assert isinstance(results["small.txt"], ParsedFile)


@LINUX
def test_a_worker_that_is_killed_costs_one_file(tmp_path: Path) -> None:
    files = write(tmp_path, {"slow.html": SLOW, **{f"{number}.txt": b"some words" for number in range(6)}})
    with ParserPool(ParseLimits(timeout_s=30), workers=2) as running:
        results = running.parse_all(files)
        done = dict(next(results) for _ in range(6))
        wait_until(lambda: len(busy_descendants(os.getpid())) == 1)
        [busy] = busy_descendants(os.getpid())
        os.kill(busy, signal.SIGKILL)
        done.update(results)
    crashed = done.pop("slow.html")
    assert isinstance(crashed, ParseFailure) and crashed.code is ReasonCode.CRASHED
    assert all(isinstance(result, ParsedFile) for result in done.values())


@LINUX
def test_no_worker_outlives_a_killed_parent(tmp_path: Path) -> None:
    write(tmp_path, {"slow.html": SLOW})
    program = (
        "import sys; from pathlib import Path; from retrieval.config import ParseLimits\n"
        "from retrieval.workers import ParserPool\n"
        "with ParserPool(ParseLimits(), 2) as pool:\n"
        "    list(pool.parse_all([(str(n), Path(sys.argv[1])) for n in range(2)]))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "slow.html")])
    try:
        wait_until(lambda: len(busy_descendants(parent.pid)) == 2)
        children = descendants(parent.pid)
    finally:
        parent.kill()
        parent.wait()
    wait_until(lambda: not any(alive(pid) for pid in children))


def descendants(pid: int) -> list[int]:
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    threads = [task.name for task in Path(f"/proc/{pid}/task").iterdir() if task.name != str(pid)]
    for thread in threads:
        children += [int(child) for child in Path(f"/proc/{pid}/task/{thread}/children").read_text().split()]
    return children + [deeper for child in children for deeper in descendants(child)]


def busy_descendants(pid: int) -> list[int]:
    before = {child: cpu_ticks(child) for child in descendants(pid)}
    time.sleep(0.4)
    return [child for child, ticks in before.items() if cpu_ticks(child) - ticks > 5]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def cpu_ticks(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def wait_until(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
