"""`evals promote`: turns that become cases, drafts, or nothing."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import httpx
import pytest

from app.bootstrap import Services
from app.releases import describe
from app.store.turns import StoredTurn
from app.types import ChatRequest, ChatResult, Citation, Claim
from evals import cli
from evals.golden.cards import read_card
from evals.golden.cases import Quote, cases_hash, load_cases
from evals.golden.sets import load_golden_set
from evals.review.audit import read_entries
from evals.review.drafts import DraftBox
from evals.review.promotion import Wish, admit, draft_of
from evals.review.scrub import scrub
from evals.running.corpus import ready_corpus
from tests.evals.conftest import QUOTE, make_case, make_result
from tests.evals.review.conftest import TEST_QUESTION, World, hidden

TODAY = date(2026, 11, 24)
Evals = Callable[..., int]


def turn(question: str | None = "Who writes the post-mortem?", name: str = "ab" * 16, **more: object) -> StoredTurn:
    return StoredTurn(name, datetime.now(UTC), "default", "s", True, (), question, "No idea.", **more)  # type: ignore[arg-type]


@pytest.fixture
def evals(world: World, monkeypatch: pytest.MonkeyPatch) -> Evals:
    """Runs the command over the services of the test."""

    @contextmanager
    def services(home: Path | None, provider: str | None) -> Iterator[Services]:
        yield world.services

    def run(*arguments: str) -> int:
        with monkeypatch.context() as patched:
            patched.setattr(cli, "_services", services)
            patched.setattr(
                sys, "argv", ["evals", "promote", *arguments, "--golden-sets", str(world.root), "--set", "tiny"]
            )
            with pytest.raises(SystemExit) as ended:
                cli.main()
        return int(ended.value.code or 0)

    return run


def keep(world: World, result: ChatResult, turn_id: str, question: str, rating: str | None = None) -> None:
    """A turn with its words, as `chat.record_text` keeps it."""
    services = world.services
    store = services.turns
    store._settings = store._settings.model_copy(update={"record_text": True})
    store.record(
        replace(result, turn_id=turn_id, question=question),
        ChatRequest(question),
        describe(services.pipeline, services.settings),
    )
    if rating:
        store.add_feedback(turn_id, rating, "write to jane@example.org")  # type: ignore[arg-type]


def cited(world: World) -> ChatResult:
    """A turn that cited the golden document."""
    golden = load_golden_set(world.root, "tiny")
    texts = ready_corpus(world.services, golden, None)
    doc_id = texts.doc_ids["canary.md"]
    text = texts.text_of(doc_id) or ""
    start = text.index(QUOTE)
    end = start + len(QUOTE)
    citation = Citation(doc_id, "canary.md", "Canary", texts.snapshot, start, end, QUOTE, "", None, None)
    return replace(make_result("yes"), claims=(Claim(QUOTE, (citation,), 1.0),), snapshot=texts.snapshot)


def test_a_turn_that_should_have_been_refused_becomes_a_case(world: World, evals: Evals) -> None:
    keep(world, make_result(), "a" * 32, "My mail is jane@example.org, what is my salary?")
    before = (world.folder / "cases.jsonl").read_bytes()
    assert evals("a" * 32, "--action", "abstain", "--yes") == 0
    after = (world.folder / "cases.jsonl").read_bytes()
    assert after.startswith(before)
    case = json.loads(after[len(before) :])
    assert (case["question"], case["split"], case["kind"]) == (
        "My mail is [email], what is my salary?", "dev", "unanswerable",
    )  # fmt: skip
    assert read_card(world.folder / "card.md").sha256 == cases_hash(world.folder / "cases.jsonl")
    [entry] = read_entries(world.folder)
    assert (entry.action, entry.before, entry.turn_id) == ("promote", None, "a" * 32)
    assert b"jane@" not in (world.folder / "reviews.jsonl").read_bytes()


def test_words_that_were_not_kept_must_be_given(world: World, evals: Evals, capsys: pytest.CaptureFixture[str]) -> None:
    services = world.services
    services.turns.record(make_result(), ChatRequest("q"), describe(services.pipeline, services.settings))
    assert evals("t", "--action", "abstain", "--yes") == 1
    assert "chat.record_text" in capsys.readouterr().out
    assert evals("t", "--action", "abstain", "--question", "What do alpacas cost in winter?", "--yes") == 0
    assert json.loads(world.line("turn-t"))["question"] == "What do alpacas cost in winter?"


def test_an_answer_needs_evidence_that_stands(world: World, evals: Evals, capsys: pytest.CaptureFixture[str]) -> None:
    keep(world, cited(world), "b" * 32, "When errors double, what is the deadline for going back?")
    answer = ("b" * 32, "--answer", "5 minutes", "--yes")
    assert evals(*answer, "--quote", "canary.md::stands nowhere") == 4
    assert "does not stand there" in " ".join(capsys.readouterr().err.split())
    assert read_entries(world.folder) == []
    assert evals(*answer, "--quote", f"canary.md::{QUOTE}") == 0
    case = json.loads(world.line("turn-bbbbbbbbbbbbbbbb"))
    assert (case["group"], case["slices"]) == ("canary.md", ["production"])


def test_without_an_answer_a_draft_waits_and_is_finished_on_its_page(
    world: World, evals: Evals, client: httpx.Client
) -> None:  # fmt: skip
    keep(world, cited(world), "c" * 32, "When errors double, what is the deadline for going back?", "down")
    assert evals("--from-feedback", "--yes") == 0
    assert "turn-" not in (world.folder / "cases.jsonl").read_text("utf-8")
    [draft] = DraftBox(world.services.settings.home, "tiny").all()
    assert (draft.evidence, draft.note) == ((Quote(uri="canary.md", quote=QUOTE),), "write to [email]")
    page = f"/draft/tiny/{draft.id}"
    assert draft.question in client.get("/drafts").text
    fields = {
        **hidden(client, page, "adopt"), "kind": "answerable", "severity": "major", "action": "answer",
        "question": draft.question, "answers": "", "must": "", "must_not": "", "evidence-0-uri": "canary.md",
        "evidence-0-quote": QUOTE,
    }  # fmt: skip
    unfinished = client.post(f"{page}/adopt", data=fields)
    assert (unfinished.status_code, "would be no case" in unfinished.text) == (409, True)
    assert "is a case now" in client.post(f"{page}/adopt", data={**fields, "answers": "5 minutes"}).text
    assert json.loads(world.line(draft.id))["gold"]["answers"] == ["5 minutes"]
    assert DraftBox(world.services.settings.home, "tiny").all() == []
    assert evals("--from-feedback", "--yes") == 1  # it was promoted before


def test_a_discarded_draft_is_not_promoted_again(world: World, evals: Evals, client: httpx.Client) -> None:
    keep(world, make_result(), "d" * 32, "Which llama is the fastest of all?", "down")
    assert evals("--from-feedback", "--yes") == 0
    page = "/draft/tiny/turn-dddddddddddddddd"
    assert "is discarded" in client.post(f"{page}/discard", data=hidden(client, page, "discard")).text
    assert client.get(page).status_code == 404
    assert evals("--from-feedback", "--yes") == 1


def test_the_latest_rating_of_a_turn_counts(world: World, evals: Evals, capsys: pytest.CaptureFixture[str]) -> None:
    keep(world, make_result(), "e" * 32, "Which llama is the fastest of all?", "down")
    world.services.turns.add_feedback("e" * 32, "up", "")
    assert evals("--from-feedback") == 0
    assert "no turn with a thumbs-down" in capsys.readouterr().out


def test_nothing_is_written_without_a_yes(world: World, evals: Evals, capsys: pytest.CaptureFixture[str]) -> None:
    keep(world, make_result(), "f" * 32, "Which llama is the fastest of all?")
    before = (world.folder / "cases.jsonl").read_bytes()
    assert evals("f" * 32, "--action", "abstain", "--json") == 1
    [shown] = json.loads(capsys.readouterr().out)
    assert (shown["becomes"], shown["case"]["question"]) == ("case", "Which llama is the fastest of all?")
    assert (world.folder / "cases.jsonl").read_bytes() == before and read_entries(world.folder) == []


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("t", "--from-feedback"),
        ("--from-feedback", "--answer", "x"),
        ("t", "--action", "dance"),
        ("t", "--kind", "dance"),
        ("t", "--quote", "no separator"),
        ("t", "--action", "abstain", "--answer", "x"),
        ("unknown", "--action", "abstain"),
    ],
)
def test_misuse(evals: Evals, arguments: tuple[str, ...]) -> None:
    assert evals(*arguments) == 4


def judge(world: World, *turns: StoredTurn, wish: Wish | None = None) -> list[str]:
    found = [draft_of(one, wish or Wish("abstain"), (), scrub, TODAY) for one in turns]
    return [one.refused for one in admit(found, load_cases(world.folder / "cases.jsonl"))]


def test_what_is_asked_already_is_refused_without_words_of_the_test_split(world: World) -> None:
    [exact] = judge(world, turn("what does a LLAMA eat for  breakfast?"))
    [near] = judge(world, turn("So, what does a llama eat for breakfast today?"))
    [locked] = judge(world, turn(TEST_QUESTION))
    assert "exactly what a-2 asks" in exact and "nearly" in near and "a-2" in near
    assert "t-1" in locked and "locked split" not in locked


def test_of_two_turns_that_ask_the_same_one_comes_in(world: World) -> None:
    first, second = judge(world, turn(name="1" * 32), turn(name="2" * 32))
    assert (first, "turn-1111111111111111" in second) == ("", True)


def test_what_belongs_to_the_test_split_is_refused(world: World) -> None:
    wish = Wish("answer", answers=("0.3",), quotes=(Quote(uri="drift.md", quote="An index"),))
    [refused] = judge(world, turn(), wish=wish)
    assert "locked test split" in refused
    elsewhere = Wish("answer", answers=("x",), quotes=(Quote(uri="canary.md", quote=QUOTE),))
    assert judge(world, turn(), wish=elsewhere) == [""]


def test_a_retired_case_stands_in_nobodys_way() -> None:
    old = make_case(question="Who writes the post-mortem?", retired="unclear to everybody")
    found = draft_of(turn(), Wish("abstain"), (), scrub, TODAY)
    assert [one.refused for one in admit([found], [old])] == [""]
