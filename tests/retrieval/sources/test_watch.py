"""`assay ingest --watch`: with real files and the real kernel's notices."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.bootstrap import Services
from retrieval.errors import PathNotFound
from retrieval.files import folders, list_files
from retrieval.sources import watch as watching
from retrieval.sources.watch import watch
from retrieval.types import IngestReport

ROOT = Path(__file__).parents[3]


class Watcher:
    """A watch in a thread, with what it did."""

    def __init__(self, services: Services, folder: Path) -> None:
        self.reports: list[IngestReport] = []
        self.errors: list[Exception] = []
        self.fail: Exception | None = None
        self._stop = threading.Event()
        self._services, self._folder = services, folder
        ignore = (services.settings.home,)
        self._thread = threading.Thread(
            target=watch,
            args=([str(folder)], self.ingest),
            kwargs={"stop": self._stop, "failed": self.errors.append, "ignore": ignore},
        )
        self._thread.start()

    def ingest(self) -> None:
        error, self.fail = self.fail, None
        if error:
            raise error
        files, gone = list_files([self._folder]), folders([self._folder])
        self.reports.append(self._services.ingestor.ingest(files, "default", prune=gone))

    def until(self, holds: Callable[[], bool], timeout_s: float = 8.0) -> None:
        ends = time.monotonic() + timeout_s
        while not holds():
            assert time.monotonic() < ends, (self.reports, self.errors)
            time.sleep(0.02)

    def uris(self) -> set[str]:
        corpora = self._services.corpora
        return {member.uri for member in corpora.members("default", corpora.active("default"))}

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.fixture
def watcher(services: Services, documents: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watcher]:
    monkeypatch.setattr(watching, "DEBOUNCE_MS", 300)
    monkeypatch.setattr(watching, "RETRY_S", 0.2)
    made = Watcher(services, documents)
    made.until(lambda: len(made.reports) == 1)
    yield made
    made.close()


def test_new_changed_renamed_and_removed_files_are_followed(watcher: Watcher, documents: Path) -> None:
    (documents / "new.md").write_text("A new file with its text.", encoding="utf-8")
    watcher.until(lambda: "new.md" in watcher.uris())
    (documents / "new.md").rename(documents / "sub" / "renamed.md")
    watcher.until(lambda: watcher.uris() >= {"sub/renamed.md"} and "new.md" not in watcher.uris())
    (documents / "sub" / "renamed.md").unlink()
    watcher.until(lambda: "sub/renamed.md" not in watcher.uris())
    replacement = documents / "draft.tmp"
    replacement.write_text("Changed by way of a rename.", encoding="utf-8")
    replacement.replace(documents / "canary.md")
    watcher.until(lambda: any(report.changed for report in watcher.reports))
    assert watcher.errors == []


def test_many_changes_at_once_are_few_ingests(watcher: Watcher, documents: Path) -> None:
    for number in range(50):
        (documents / f"{number}.md").write_text(f"File number {number} of fifty.", encoding="utf-8")
    watcher.until(lambda: len(watcher.uris()) == 53)
    assert len(watcher.reports) < 10


def test_hidden_files_and_the_home_do_not_count(watcher: Watcher, documents: Path) -> None:
    (documents / ".hidden.md").write_text("hidden", encoding="utf-8")
    time.sleep(1)
    assert len(watcher.reports) == 1


def test_an_ingest_that_fails_is_tried_again(watcher: Watcher, documents: Path) -> None:
    watcher.fail = OSError(28, "No space left on device")
    (documents / "new.md").write_text("A new file with its text.", encoding="utf-8")
    watcher.until(lambda: "new.md" in watcher.uris())
    assert [type(error) for error in watcher.errors] == [OSError]


def test_a_folder_that_goes_and_comes_back_is_watched_again(watcher: Watcher, documents: Path) -> None:
    shutil.rmtree(documents)
    watcher.until(lambda: any(isinstance(error, PathNotFound | FileNotFoundError) for error in watcher.errors))
    documents.mkdir()
    (documents / "back.md").write_text("Back again with a text.", encoding="utf-8")
    watcher.until(lambda: watcher.uris() == {"back.md"})
    (documents / "later.md").write_text("And later with another.", encoding="utf-8")
    watcher.until(lambda: watcher.uris() == {"back.md", "later.md"})


def test_what_is_not_there_at_the_beginning_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PathNotFound):
        watch([str(tmp_path / "no")], lambda: None)


def test_ctrl_c_ends_it_cleanly(documents: Path, tmp_path: Path) -> None:
    """The command itself, without weights: its services are joined with the hashing embedder."""
    driver = (
        "import sys\nfrom app import bootstrap, cli\nfrom retrieval.embedders.hashing import HashingEmbedder\n"
        "whole = bootstrap.build\nbootstrap.build = lambda settings: whole(settings, embedder=HashingEmbedder())\n"
        f"sys.argv = ['assay', 'ingest', {str(documents)!r}, '--watch', '--prune', '--json']\ncli.main()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ASSAY_HOME": str(tmp_path / "home")}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", driver], env=environment, text=True, **pipes) as process:  # type: ignore[call-overload]
        line = ""
        while not line.startswith("}"):
            line = process.stdout.readline()
            assert line
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert (process.returncode, "Traceback" in said, "Stopped." in said) == (0, False, True)
