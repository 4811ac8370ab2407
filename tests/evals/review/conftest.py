"""A run of a tiny golden set with a hostile document, reviewed over pages."""

import asyncio
import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.bootstrap import Services, build
from app.http.local_page import local_app
from app.llm.scripted import ScriptedProvider
from app.settings import Settings, load_settings
from evals.golden.sets import load_golden_set, select
from evals.review.desk import Desk, Place, open_desk
from evals.review.pages import STATIC
from evals.review.promoting import texts_of
from evals.review.room import ReviewRoom
from evals.running.corpus import ready_corpus
from evals.running.evaluate import Plan, evaluate
from evals.running.records import Run, load_run
from evals.suites import Suite
from retrieval.embedders.hashing import HashingEmbedder
from tests.app.http.serving import running
from tests.conftest import Build
from tests.evals.conftest import ABSTAIN, QUOTE, case_json, write_set

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=alert(1)> \"'></textarea><b>bold</b>\u202e"
TEST_QUESTION = "What only the locked split asks?"
TOKEN = "token-of-the-test"

Sit = Callable[..., Desk]


@dataclass(frozen=True)
class World:
    """What a review needs."""

    root: Path
    services: Services
    run: Run
    baseline: Run

    @property
    def folder(self) -> Path:
        return self.root / "tiny"

    def line(self, name: str) -> str:
        """The line of a case, as it stands in the file."""
        lines = (self.folder / "cases.jsonl").read_text("utf-8").splitlines()
        return next(line for line in lines if f'"id": "{name}"' in line)


def tiny_cases() -> list[dict[str, object]]:
    return [
        case_json("a-1"),
        case_json("a-2", **ABSTAIN, severity="critical", question="What does a llama eat for breakfast?"),
        case_json("a-3", question=f"Hostile {HOSTILE}?", severity="minor", slices=["hostile"],
                  gold={"action": "answer", "answers": [HOSTILE], "evidence": [{"uri": "canary.md", "quote": QUOTE}]}),
        case_json("t-1", split="test", group="drift.md", question=TEST_QUESTION,
                  gold={"action": "answer", "answers": ["0.25"], "evidence": [
                      {"uri": "drift.md", "quote": "An index above 0.25 opens an investigation."}]}),
    ]  # fmt: skip


def make_run(services: Services, root: Path) -> Run:
    golden = load_golden_set(root, "tiny")
    suite = Suite(name="tiny", sets=("tiny",), scorers=("answer_match", "abstention", "passage_recall"))
    texts = {"tiny": ready_corpus(services, golden, None)}
    return asyncio.run(evaluate(services, Plan(suite, [golden], select([golden])), texts))


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home and golden sets with two runs: a baseline that quotes the right sentence, a candidate that does not."""
    base = tmp_path_factory.mktemp("review")
    folder = write_set(base / "sets", tiny_cases())
    (folder / "corpus" / "hostile.md").write_text(f"# Evil\n\nRoll back {HOSTILE.replace('<', '&lt;')} now.\n", "utf-8")
    for name, draft in (("baseline", QUOTE), ("candidate", "A canary sends 1 percent of the traffic.")):
        services = build(
            load_settings(home=base / "home"),
            embedder=HashingEmbedder(),
            provider=ScriptedProvider(itertools.repeat(draft)),
        )
        run = make_run(services, base / "sets")
        services.close()
        run.folder.rename(base / "home" / "runs" / name)
    return base


@pytest.fixture
def world(tmp_path: Path, prepared: Path, build_services: Build, settings: Settings) -> World:
    """A copy of what was prepared, to change at will."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    runs = settings.home / "runs"
    services = build_services(ScriptedProvider(()))
    return World(tmp_path / "sets", services, load_run(runs / "candidate"), load_run(runs / "baseline"))


@pytest.fixture
def sit(world: World) -> Sit:
    """Opens a desk for a reviewer."""

    def open_(reviewer: str = "ann") -> Desk:
        place = Place(world.root, world.services.settings.home)
        return open_desk(
            world.run, world.baseline, place, reviewer, lambda golden, at: texts_of(world.services, golden, at)
        )

    return open_


@pytest.fixture
def room(sit: Sit) -> Iterator[str]:
    """The address of the review's pages; the link that lets in holds TOKEN."""
    with running(local_app(ReviewRoom(sit()).routes(), token=TOKEN, static=STATIC)) as address:
        yield address
