"""What a review writes: the trail, the case, the card; and what a crash leaves of it."""

import json
from pathlib import Path

import pytest

from evals.errors import GoldenSetError, LedgerDamaged
from evals.golden.cards import read_card
from evals.golden.cases import Case, cases_hash, load_cases
from evals.review import audit, edits
from evals.review.agreement import agreements, first_labels
from evals.review.audit import Entry, act, read_entries
from evals.review.edits import JOURNAL, record, recover
from tests.evals.conftest import ABSTAIN, case_json, write_set


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_set(
        tmp_path, [case_json("a-1", history=[]), case_json("a-2", **ABSTAIN), case_json("t-1", split="test")]
    )


def the(folder: Path, name: str) -> Case:
    return next(case for case in load_cases(folder / "cases.jsonl") if case.id == name)


def changed(case: Case, **changes: object) -> Case:
    return Case.model_validate({**case.model_dump(), **changes})


def fix(folder: Path, name: str = "a-1", **changes: object) -> Entry:
    case = the(folder, name)
    return act("ann", "fix", case, changed(case, **(changes or {"question": "Better?"})))


def label(folder: Path, who: str, name: str, cause: str, run: str = "r") -> None:
    case = the(folder, name)
    record(folder, act(who, "label", case, case, run=run, cause=cause))


def test_a_fix_changes_one_line_the_card_and_the_trail(folder: Path) -> None:
    path = folder / "cases.jsonl"
    before = path.read_bytes().split(b"\n")
    record(folder, fix(folder))
    after = path.read_bytes().split(b"\n")
    assert [number for number, (a, b) in enumerate(zip(before, after, strict=True)) if a != b] == [0]
    assert the(folder, "a-1").question == "Better?"
    assert read_card(folder / "card.md").sha256 == cases_hash(path)
    [entry] = read_entries(folder)
    assert (entry.before != entry.after, entry.after) == (True, the(folder, "a-1").sha256)
    assert entry.case == the(folder, "a-1")
    assert not (folder / JOURNAL).exists()


def test_a_label_changes_no_case(folder: Path) -> None:
    before = (folder / "cases.jsonl").read_bytes(), (folder / "card.md").read_bytes()
    label(folder, "ann", "a-1", "grounding")
    assert ((folder / "cases.jsonl").read_bytes(), (folder / "card.md").read_bytes()) == before
    [entry] = read_entries(folder)
    assert (entry.cause, entry.case, entry.before) == ("grounding", None, entry.after)


def test_retiring_is_counted_in_the_card(folder: Path) -> None:
    record(folder, fix(folder, retired="asked twice"))
    assert (read_card(folder / "card.md").retired, read_card(folder / "card.md").cases) == (1, 2)


def test_a_case_that_changed_meanwhile_is_not_overwritten(folder: Path) -> None:
    late = fix(folder, question="Mine?")
    record(folder, fix(folder, question="Theirs?"))
    with pytest.raises(GoldenSetError, match="someone else"):
        record(folder, late)
    assert the(folder, "a-1").question == "Theirs?"
    assert len(read_entries(folder)) == 1


def test_an_id_is_given_once(folder: Path) -> None:
    with pytest.raises(GoldenSetError, match="already"):
        record(folder, act("ann", "promote", None, the(folder, "a-1")))


def test_a_file_without_a_last_line_end_gets_one_before_a_new_case(folder: Path) -> None:
    path = folder / "cases.jsonl"
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    record(folder, act("ann", "promote", None, changed(the(folder, "a-1"), id="new")))
    assert [case.id for case in load_cases(path)] == ["a-1", "a-2", "t-1", "new"]


@pytest.mark.parametrize("step", ["append", "replace_cases", "fix_card"])
def test_what_a_crash_interrupts_is_finished_by_the_next_to_open_the_set(
    folder: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    real = edits.replace_file
    with monkeypatch.context() as patched:
        if step == "replace_cases":
            patched.setattr(edits, "replace_file", lambda p, d: die() if p.name == "cases.jsonl" else real(p, d))
        elif step == "fix_card":
            patched.setattr(edits, "fix_card", die)
            unlink = Path.unlink
            patched.setattr(Path, "unlink", lambda p, **how: die() if p.name == JOURNAL else unlink(p, **how))
        else:
            patched.setattr(edits, "append", die)
        with pytest.raises(Killed):
            record(folder, fix(folder))
    recover(folder)
    assert the(folder, "a-1").question == "Better?"
    assert len(read_entries(folder)) == 1
    assert read_card(folder / "card.md").sha256 == cases_hash(folder / "cases.jsonl")
    assert not (folder / JOURNAL).exists()


def test_an_edit_by_hand_is_not_undone_by_the_next_review(folder: Path) -> None:
    path = folder / "cases.jsonl"
    before = path.read_bytes()
    record(folder, fix(folder))
    path.write_bytes(before)
    recover(folder)
    assert path.read_bytes() == before


def test_half_a_line_that_a_crash_left_is_passed_over_and_written_over(folder: Path) -> None:
    label(folder, "ann", "a-1", "guard")
    with (folder / audit.NAME).open("ab") as file:
        file.write(b'{"n": 2, "wh')
    assert len(read_entries(folder)) == 1
    label(folder, "ann", "a-2", "other")
    assert [entry.case_id for entry in read_entries(folder)] == ["a-1", "a-2"]


@pytest.mark.parametrize("tamper", ["edit", "remove", "swap", "reformat"])
def test_tampering_is_found(folder: Path, tamper: str) -> None:
    for name, cause in (("a-1", "guard"), ("a-2", "other"), ("a-1", "retrieval")):
        label(folder, "ann", name, cause)
    path = folder / audit.NAME
    lines = path.read_text("utf-8").splitlines()
    if tamper == "edit":
        lines[1] = lines[1].replace('"other"', '"guard"')
    elif tamper == "remove":
        del lines[0]
    elif tamper == "swap":
        lines[0], lines[1] = lines[1], lines[0]
    else:
        lines[1] = json.dumps(json.loads(lines[1]), separators=(",", ":"))
    path.write_text("\n".join(lines) + "\n", "utf-8")
    with pytest.raises(LedgerDamaged, match=r"reviews\.jsonl"):
        read_entries(folder)
    with pytest.raises(LedgerDamaged):
        record(folder, fix(folder))
    assert the(folder, "a-1").question != "Better?"


def test_agreement_counts_first_labels_of_the_same_run(folder: Path) -> None:
    for who, name, cause, run in (
        ("ann", "a-1", "guard", "r"),
        ("bob", "a-1", "guard", "r"),
        ("ann", "a-2", "other", "r"),
        ("bob", "a-2", "guard", "r"),
        ("bob", "a-2", "other", "r"),  # after having seen ann's
        ("ann", "a-1", "retrieval", "another run"),
        ("cid", "t-1", "guard", "r"),
    ):
        label(folder, who, name, cause, run)
    assert first_labels(read_entries(folder))["bob"][("r", "a-2")] == "guard"
    [pair] = agreements(read_entries(folder))
    assert (pair.one, pair.other, pair.agreement.n, pair.agreement.share) == ("ann", "bob", 2, 0.5)
    assert pair.agreement.kappa == pytest.approx(0.0)
