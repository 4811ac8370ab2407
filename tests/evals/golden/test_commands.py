"""`evals validate`, `evals split` and `evals ledger`, as they are typed."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from app.bootstrap import Services
from evals.commands import golden
from evals.commands.options import Door
from evals.errors import EvalsError, GoldenSetError
from evals.golden.cards import read_card
from evals.golden.cases import load_cases
from evals.golden.ledger import Ledger, LookRequest
from tests.conftest import Build
from tests.evals.conftest import ABSTAIN, case_json, write_set

REQUEST = LookRequest("Ada", "Release 1.2 is a candidate", "c0ffee", "r1", "smoke")
LEAK = [
    case_json("a", question="After how many minutes is a new version rolled back?"),
    case_json("b", question="After how many minutes do we roll a new version back?", split="test", **ABSTAIN),
]
SOUND = [case_json("a"), case_json("b", question="Who owns the nightly report?", split="test", **ABSTAIN)]


@dataclass(frozen=True)
class Said:
    """What a command said: its exit code, what a person reads, and what a machine reads."""

    code: int
    text: str
    json: Any
    error: BaseException | None


Evals = Callable[..., Said]


@pytest.fixture
def evals(tmp_path: Path, build_services: Build) -> Evals:
    cli = typer.Typer()
    golden.add_to(cli)

    @contextmanager
    def services(home: Path | None, provider: str | None) -> Iterator[Services]:
        yield build_services()

    def run(*arguments: str) -> Said:
        shown = io.StringIO()
        console = Console(file=shown, width=200)
        door = Door(console, console, services, lambda quiet: nullcontext())
        done = CliRunner().invoke(cli, [*arguments, "--golden-sets", str(tmp_path)], obj=door)
        stated = json.loads(done.stdout) if "--json" in arguments and done.exit_code in (0, 1) and done.stdout else None
        return Said(done.exit_code, shown.getvalue(), stated, done.exception)

    return run


def test_a_sound_set_is_valid_and_warnings_are_allowed(tmp_path: Path, evals: Evals) -> None:
    write_set(tmp_path, SOUND)
    said = evals("validate")
    assert (said.code, "tiny: 2 cases, 0 errors, 2 warnings" in said.text) == (0, True)
    assert evals("validate", "tiny", "--strict").code == 1


def test_a_planted_near_duplicate_across_splits_is_refused(tmp_path: Path, evals: Evals) -> None:
    write_set(tmp_path, LEAK)
    said = evals("validate", "tiny", "--no-documents")
    assert said.code == 1
    assert "a and b ask nearly the same" in said.text
    assert "roll" not in said.text
    found = evals("validate", "tiny", "--json")
    [leak] = [row for row in found.json["tiny"]["problems"] if row["severity"] == "error"]
    assert (found.code, leak["code"], leak["case_ids"]) == (1, "leak", ["a", "b"])


def test_evidence_is_looked_for_unless_told_otherwise(tmp_path: Path, evals: Evals) -> None:
    gold = {"action": "answer", "answers": ["x"], "evidence": [{"uri": "canary.md", "quote": "Nowhere, x."}]}
    write_set(tmp_path, [case_json("a", gold=gold)])
    assert evals("validate").code == 1
    assert evals("validate", "--no-documents").code == 0


def test_sets_are_compared_with_those_not_named(tmp_path: Path, evals: Evals) -> None:
    write_set(tmp_path, LEAK[:1])
    write_set(tmp_path, LEAK[1:], name="other")
    for name in ("tiny", "other"):
        assert evals("validate", name, "--no-documents").code == 1


def test_a_card_is_fixed(tmp_path: Path, evals: Evals) -> None:
    folder = write_set(tmp_path, SOUND, stated={"sha256": "0" * 64, "cases": 9})
    assert evals("validate", "--no-documents").code == 1
    assert evals("validate", "--no-documents", "--fix-card").code == 0
    assert evals("validate", "--no-documents").code == 0
    assert (folder / "card.md").read_text().endswith("---\nProse.\n")


def test_what_cannot_be_read_is_one_error(tmp_path: Path, evals: Evals) -> None:
    assert isinstance(evals("validate").error, EvalsError)
    (write_set(tmp_path, SOUND) / "cases.jsonl").write_text("{broken")
    for command in ("validate", "split"):
        assert isinstance(evals(command, "tiny").error, GoldenSetError)
    for command in ("validate", "split", "ledger"):
        assert isinstance(evals(command, "gone").error, GoldenSetError)


def unsplit(name: str, **changes: Any) -> dict[str, Any]:
    words = name.translate(str.maketrans("0123456789", "abcdefghij"))
    asked = " ".join(f"{words}{letter}" for letter in "uvwxyzqr")
    case = case_json(name, question=asked, group=f"g-{name}", kind="unanswerable", gold=ABSTAIN["gold"], **changes)
    return {key: value for key, value in case.items() if key != "split" or "split" in changes}


def new_set(tmp_path: Path, cases: list[dict[str, Any]]) -> Path:
    folder = write_set(tmp_path, [{**case, "split": "dev"} for case in cases])
    (folder / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    return folder


def test_a_plan_is_shown_and_only_written_when_told(tmp_path: Path, evals: Evals) -> None:
    folder = new_set(tmp_path, [unsplit(f"{n:02}") for n in range(10)])
    before = (folder / "cases.jsonl").read_bytes()
    said = evals("split", "tiny", "--by", "random-stratified", "--test-share", "0.4", "--seed", "3")
    assert (said.code, "40.0% test" in said.text, "Give --write" in said.text) == (0, True, True)
    assert (folder / "cases.jsonl").read_bytes() == before
    planned = evals(
        "split", "tiny", "--by", "random-stratified", "--test-share", "0.4", "--seed", "3", "--write", "--json"
    )
    cases = load_cases(folder / "cases.jsonl")
    assert {case.id: case.split for case in cases} == planned.json["splits"]
    assert planned.json["written"]
    card = read_card(folder / "card.md")
    assert (card.split_by, card.splits) == ("random", {"dev": 6, "test": 4})
    assert evals("validate", "--no-documents").code == 0


def test_cases_keep_their_split_unless_reassigned(tmp_path: Path, evals: Evals) -> None:
    folder = new_set(tmp_path, [unsplit(f"{n:02}", split="dev") for n in range(10)])
    assert evals("split", "tiny", "--write").code == 0
    assert {case.split for case in load_cases(folder / "cases.jsonl")} == {"dev"}
    assert evals("split", "tiny", "--write", "--reassign").code == 0
    assert sum(case.split == "test" for case in load_cases(folder / "cases.jsonl")) == 3


def test_a_leak_that_stands_is_not_written(tmp_path: Path, evals: Evals) -> None:
    folder = new_set(tmp_path, [case_json("a"), case_json("b", split="test"), unsplit("00")])
    before = (folder / "cases.jsonl").read_bytes()
    said = evals("split", "tiny", "--write")
    assert (said.code, "a, b" in said.text, "Nothing was written" in said.text) == (1, True, True)
    assert (folder / "cases.jsonl").read_bytes() == before


def test_a_card_that_is_wrong_stops_the_split(tmp_path: Path, evals: Evals) -> None:
    folder = new_set(tmp_path, [unsplit("00")])
    (folder / "card.md").write_text("no card")
    before = (folder / "cases.jsonl").read_bytes()
    assert isinstance(evals("split", "tiny", "--write").error, GoldenSetError)
    assert (folder / "cases.jsonl").read_bytes() == before


def test_looks_are_shown_and_tampering_is_found(tmp_path: Path, evals: Evals) -> None:
    folder = write_set(tmp_path, SOUND)
    said = evals("ledger")
    assert (said.code, "tiny: 0 of 20 looks" in said.text) == (0, True)
    ledger = Ledger(folder / "ledger.jsonl")
    ledger.look(REQUEST, "a" * 64, 20).close("FAIL")
    ledger.look(REQUEST, "a" * 64, 20)
    said = evals("ledger", "tiny")
    assert said.code == 0
    assert all(part in said.text for part in ("tiny: 2 of 20 looks", "Release 1.2 is a candidate", "FAIL", "no result"))
    stated = evals("ledger", "--json").json["tiny"]
    assert (stated["looks"], stated["budget"], len(stated["entries"]), stated["problems"]) == (2, 20, 3, [])
    ledger.path.write_bytes(ledger.path.read_bytes().replace(b"FAIL", b"PASS"))
    said = evals("ledger")
    assert (said.code, "tampered with: line 2 is not as it was written" in said.text) == (1, True)
    assert evals("ledger", "--json").code == 1
