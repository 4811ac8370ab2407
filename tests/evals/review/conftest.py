"""A run of a tiny golden set with a hostile document, reviewed over pages."""

import asyncio
import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import httpx
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
            load_settings(home=base / "home", chat={"min_answerable": 0.0}),
            embedder=HashingEmbedder(),
            provider=ScriptedProvider(itertools.repeat(draft)),
        )
        run = make_run(services, base / "sets")
        services.close()
        run.folder.rename(base / "home" / "runs" / name)
    (base / "sets").rename(base / "template")  # a copy is ingested as the same corpus only where the first is gone
    return base


@pytest.fixture
def world(tmp_path: Path, prepared: Path, build_services: Build, settings: Settings) -> World:
    """A copy of what was prepared, to change at will."""
    shutil.copytree(prepared / "home", settings.home)
    shutil.copytree(prepared / "template", tmp_path / "sets")
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


@pytest.fixture
def client(room: str) -> Iterator[httpx.Client]:
    """A browser that followed the link."""
    with httpx.Client(base_url=room, follow_redirects=True, headers={"origin": room}) as client:
        assert client.get("/", params={"token": TOKEN}).status_code == 200
        yield client


class Tags(HTMLParser):
    """The tags of a page, and the hidden fields of its forms by action."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fields: dict[str, dict[str, str]] = {}
        self._form = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        if tag == "form":
            self._form = urlsplit(given.get("action") or "").path
        if tag == "input" and given.get("type") == "hidden":
            self.fields.setdefault(self._form, {})[given["name"] or ""] = given["value"] or ""


def hidden(client: httpx.Client, page: str, action: str) -> dict[str, str]:
    return dict(Tags(client.get(page).text).fields[f"{page}/{action}"])
