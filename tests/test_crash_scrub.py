"""`kill -9` while documents with personal data come in: at no moment does a byte of the home hold what is taken out."""

import os
import random
import re
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from app.bootstrap import Services
from retrieval.files import folders, list_files
from retrieval.redaction import Door, PiiPolicy, PiiSpan
from retrieval.store.rows import Member
from tests.crash_matrix import child, joined, verified
from tests.remains import remains

MARK = "@personal.example"
ADDRESS = re.compile(rf"[\w.]+{MARK}")


class Addresses:
    """Finds the addresses of one domain."""

    fingerprint = "addresses"

    def find(self, text: str) -> Sequence[PiiSpan]:
        return [PiiSpan(found.start(), found.end(), "EMAIL") for found in ADDRESS.finditer(text)]


def letters(folder: Path, chance: random.Random) -> None:
    """Eight letters, each from a new address or as it was."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(8):
        if chance.random() < 0.6:
            sender = f"writer.{chance.getrandbits(32):08x}{MARK}"
            text = f"# Letter {number} of {sender}\n\nThe bell rang at noon, writes {sender}.\n"
            (folder / f"{number}.md").write_text(text, encoding="utf-8")


def behind(services: Services, policy: PiiPolicy) -> Services:
    door = Door(policy, Addresses(), b"key")
    return replace(services, ingestor=replace(services.ingestor, doors=lambda corpus: door))


def for_ever(home: Path, folder: Path, policy: PiiPolicy, seed: int) -> int:
    services, chance = behind(joined(home), policy), random.Random(seed)
    while True:
        letters(folder, chance)
        services.ingestor.ingest(list_files([folder]), "default", prune=folders([folder]))


@pytest.mark.parametrize("policy", [PiiPolicy.REDACT, PiiPolicy.PSEUDONYMISE])
@pytest.mark.parametrize("kills", [4, pytest.param(60, marks=pytest.mark.heavy)])
def test_no_killed_ingest_leaves_personal_data(tmp_path: Path, policy: PiiPolicy, kills: int) -> None:
    home, folder, chance = tmp_path / "home", tmp_path / "letters", random.Random(20261128)
    letters(folder, chance)
    first = behind(joined(home), policy)
    first.ingestor.ingest(list_files([folder]), "default")
    assert any("bell rang" in first.corpora.document(m.doc_id, m.version).parsed.text for m in served(first))
    first.close()
    for number in range(kills):
        pid = child(lambda number=number: for_ever(home, folder, policy, number))
        time.sleep(chance.uniform(0.05, 0.6))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status), "the ingest ended by itself"
        assert MARK in "".join(path.read_text("utf-8") for path in folder.iterdir())
        assert remains(home, MARK) == []
        _, status = os.waitpid(child(lambda: verified(home)), 0)
        assert os.waitstatus_to_exitcode(status) == 0


def served(services: Services) -> list[Member]:
    return services.corpora.members("default", services.corpora.active("default"))
