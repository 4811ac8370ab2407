"""`kill -9` during ingest: the old or the new snapshot answers, never a mix, and the next ingest completes."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.bootstrap import Services
from retrieval.files import folders, list_files
from tests.conftest import Build

ROOT = Path(__file__).parent.parent


def write_edition(folder: Path, edition: str) -> None:
    """Forty documents that all name their edition; one of them only exists in this edition."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("only-*.md"):
        old.unlink()
    for number in range(40):
        text = f"# Sheet {number}\n\nThe {edition} edition of sheet {number} covers harbour topic {number}.\n"
        (folder / f"{number}.md").write_text(text, encoding="utf-8")
    (folder / f"only-{edition}.md").write_text(f"The {edition} edition has a sheet of its own.", encoding="utf-8")


def ingest(services: Services, folder: Path) -> None:
    services.ingestor.ingest(list_files([folder]), "default", prune=folders([folder]))


async def editions_served(services: Services) -> set[str]:
    """The editions named by the served documents' texts and by what a search returns."""
    snapshot = services.corpora.active("default")
    texts = [
        services.corpora.document(member.doc_id, member.version).parsed.text
        for member in services.corpora.members("default", snapshot)
    ]
    found = await services.retriever.search("edition sheet harbour topic", "default", 50)
    assert found.snapshot == snapshot
    assert len(texts) == 41
    texts += [passage.text for passage in found.passages]
    return {word for text in texts for word in ("amber", "blue") if f"{word} edition" in text}


@pytest.mark.parametrize("kills", [4, pytest.param(50, marks=pytest.mark.heavy)])
async def test_a_killed_ingest_leaves_the_old_snapshot_or_the_new(
    build_services: Build, services: Services, tmp_path: Path, kills: int
) -> None:
    chance = random.Random(20261123 + kills)
    folder = tmp_path / "sheets"
    write_edition(folder, "amber")
    ingest(services, folder)
    assert await editions_served(services) == {"amber"}
    current, killed, longest = "amber", 0, 4.0
    while killed < kills:
        target = "blue" if current == "amber" else "amber"
        write_edition(folder, target)
        command = [sys.executable, "-m", "tests.crash_driver", str(services.settings.home), str(folder)]
        # The driver has a process group of its own: its parser workers must die with it, not with the test.
        process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)  # noqa: ASYNC220  # nothing else runs here
        began = time.monotonic()
        try:
            process.wait(chance.uniform(0.2, longest))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
        else:
            assert process.returncode == 0
            longest = max(1.0, (time.monotonic() - began) * 0.98)

        served = await editions_served(build_services())
        assert len(served) == 1, "a mix of two snapshots"
        (current,) = served
        if killed % 5 == 0 or killed == kills:  # what was killed can always be completed
            finished = build_services()
            ingest(finished, folder)
            assert await editions_served(finished) == {target}
            current = target
