"""Whoever is erased from whatever documents: no byte is left, and all else is as if it had never been there."""

import asyncio
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.bootstrap import Services, build
from app.settings import load_settings
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.erasure import Named
from retrieval.files import folders, list_files
from tests.crash_matrix import InProcess
from tests.remains import remains

SYLLABLES = (
    "ba",
    "ко",
    "dü",
    "fé",
    "go",
    "hi",
    "ju",
    "ka",
    "lo",
    "mø",
    "né",
    "po",
    "qui",
    "ra",
    "ßa",
    "tö",
    "vu",
    "zé",
)


@contextmanager
def home(root: Path) -> Iterator[Services]:
    services = build(load_settings(home=root), embedder=HashingEmbedder())
    try:
        yield replace(services, ingestor=replace(services.ingestor, open_parser=InProcess))
    finally:
        services.close()


def words(chance: random.Random, count: int) -> list[str]:
    return ["".join(chance.choices(SYLLABLES, k=chance.randint(2, 4))) for _ in range(count)]


def mentions(subject: str, chance: random.Random) -> str:
    """The subject as people write it."""
    written = chance.choice([subject, subject.upper(), subject.title()])
    return written.replace(" ", chance.choice([" ", "\n", "  "]))


def write(folder: Path, chance: random.Random, subject: str) -> set[str]:
    """Documents that share passages; some mention the subject. Returns the names of those."""
    shared, told = " ".join(words(chance, 60)), set()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number in range(chance.randint(2, 7)):
        text = words(chance, chance.randint(5, 150))
        name = f"{number}.md"
        if chance.random() < 0.4:
            text.insert(chance.randrange(len(text)), mentions(subject, chance))
            told.add(name)
        passage = f"\n\n{shared}\n" if chance.random() < 0.5 else "\n"
        (folder / name).write_text(f"# Sheet {number}\n\n{' '.join(text)}{passage}", "utf-8")
    return told


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
@example(77, False)  # a passage that stays, and that several erased documents repeat
def test_no_byte_is_left_and_all_else_is_as_before(seed: int, by_document: bool) -> None:
    chance = random.Random(seed)
    subject = " ".join(words(chance, 2))
    with TemporaryDirectory() as name, home(Path(name) / "home") as services, home(Path(name) / "never") as never:
        folder = Path(name) / "docs"
        for _ in range(2):
            told = write(folder, chance, subject)
            services.ingestor.ingest(list_files([folder]), "default", prune=folders([folder]))
        known = set(services.forget.eraser.erasures.keys())
        named = Named(subject=subject)
        if by_document:
            told = {chance.choice(sorted(path.name for path in folder.iterdir()))}
            named = Named(document=min(told))
        before = {held.key: held for held in services.forget.eraser.erasures.versions()}
        outcome = services.forget.run(named, lambda step, done, total: None)
        assert outcome.clean, outcome.left

        if not by_document:
            assert remains(services.settings.home, subject) == []
        gone = known - set(services.forget.eraser.erasures.keys())
        assert {before[key].uri for key in gone} >= told
        for key in known - gone:
            assert services.corpora.document(*key).parsed.text == before[key].text
        for row in services.snapshots.list("default"):
            assert list(services.snapshots.verify("default", row.snapshot.id)) == []

        for path in told:
            (folder / path).unlink()
        never.ingestor.ingest(list_files([folder]), "default")
        active = never.corpora.active("default")
        assert services.corpora.active("default") == active
        for question in (subject, " ".join(words(chance, 6))):
            ours, theirs = (asyncio.run(s.retriever.search(question, "default", 20)) for s in (services, never))
            assert ours == theirs
