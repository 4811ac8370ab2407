"""The ledger: no look is lost, none is taken twice, and whoever changes it is found."""

import ast
import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.errors import GoldenSetError, LedgerDamaged, LockedError
from evals.golden.chain import Entry, Head, examine
from evals.golden.ledger import Ledger, LookRequest, unlock, verify
from tests.evals.conftest import ABSTAIN, case_json, write_set

ROOT = Path(__file__).parents[3]
REQUEST = LookRequest("Ada <ada@example.org>", "Release 1.2 is a candidate", "c0ffee", "r1", "smoke")
GOLDEN = "a" * 64


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.jsonl")


def looked(ledger: Ledger, times: int) -> tuple[bytes, Head]:
    """A ledger with looks and results, as bytes and head."""
    for number in range(times):
        look = ledger.look(REQUEST, GOLDEN, 20)
        if number % 2 == 0:
            look.close("PASS", f"run-{number}")
    return ledger.path.read_bytes(), Head.model_validate_json(ledger.head.read_bytes())


def test_a_look_says_how_many_came_before(ledger: Ledger) -> None:
    first = ledger.look(REQUEST, GOLDEN, 3)
    second = ledger.look(replace(REQUEST, release="r2"), GOLDEN, 3)
    assert [(look.number, look.before, look.budget) for look in (first, second)] == [(1, 0, 3), (2, 1, 3)]
    first.close("FAIL", "run-1")
    entries = ledger.entries()
    assert [(e.n, e.kind, e.look, e.release, e.result, e.run) for e in entries] == [
        (1, "look", 1, "r1", None, ""),
        (2, "look", 2, "r2", None, ""),
        (3, "result", 1, "r1", "FAIL", "run-1"),
    ]
    assert {(e.who, e.reason, e.commit, e.golden_sha256, e.suite) for e in entries} == {
        (REQUEST.who, REQUEST.reason, "c0ffee", GOLDEN, "smoke")
    }
    assert verify(ledger.path) == []


def test_the_budget_ends(ledger: Ledger) -> None:
    for _ in range(2):
        ledger.look(REQUEST, GOLDEN, 2).close("PASS")
    with pytest.raises(LockedError, match=r"looked at 2 times, all that its card allows \(2\)"):
        ledger.look(REQUEST, GOLDEN, 2)
    assert len(ledger.entries()) == 4


@pytest.mark.parametrize(
    "changes", [{"reason": ""}, {"reason": "  because  "}, {"reason": " \x1b " * 20}, {"who": " "}]
)
def test_without_reason_or_name_there_is_no_look(ledger: Ledger, changes: dict[str, str]) -> None:
    with pytest.raises(LockedError, match="The test split is locked"):
        ledger.look(replace(REQUEST, **changes), GOLDEN, 9)
    assert not ledger.path.exists()


def test_what_is_written_is_one_line_of_plain_text(ledger: Ledger) -> None:
    ledger.look(replace(REQUEST, reason="two\nlines, \x1b[31mred and \udcff broken é"), GOLDEN, 9)
    assert ledger.entries()[0].reason == "two lines, [31mred and ? broken é"
    assert ledger.path.read_bytes().count(b"\n") == 1


def test_a_result_is_added_once(ledger: Ledger) -> None:
    look = ledger.look(REQUEST, GOLDEN, 9)
    look.close("PASS")
    with pytest.raises(LedgerDamaged, match="no open look 1"):
        look.close("FAIL")
    assert [entry.result for entry in ledger.entries()] == [None, "PASS"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Head]:
    return looked(Ledger(tmp_path_factory.mktemp("ledger") / "ledger.jsonl"), 4)


def test_the_whole_ledger_is_sound(whole: tuple[bytes, Head]) -> None:
    entries, wrong = examine(*whole)
    assert (len(entries), wrong) == (6, [])


@given(st.data())
def test_any_changed_byte_is_found(whole: tuple[bytes, Head], data: st.DataObject) -> None:
    text, head = whole
    at = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != text[at]))
    assert examine(text[:at] + bytes([byte]) + text[at + 1 :], head)[1]


@pytest.mark.parametrize("field", sorted(Entry.model_fields))
@pytest.mark.parametrize("line", [0, 1, 5])
def test_a_changed_field_is_found(whole: tuple[bytes, Head], field: str, line: int) -> None:
    lines = [json.loads(row) for row in whole[0].splitlines()]
    old = lines[line][field]
    lines[line][field] = {"kind": "look", "when": "2020-01-01T00:00:00Z"}.get(
        field, "b" * 64 if isinstance(old, str) else 7
    )
    if lines[line][field] == old:
        lines[line][field] = "result"
    changed = b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in lines)
    assert examine(changed, whole[1])[1]


@given(st.data())
def test_deleted_swapped_doubled_and_cut_entries_are_found(whole: tuple[bytes, Head], data: st.DataObject) -> None:
    lines = whole[0].splitlines(keepends=True)
    one, other = sorted(data.draw(st.sets(st.integers(0, len(lines) - 1), min_size=2, max_size=2)))
    swapped = list(lines)
    swapped[one], swapped[other] = lines[other], lines[one]
    for changed in (
        lines[:one] + lines[one + 1 :],
        swapped,
        [*lines[:other], lines[one], *lines[other:]],
        lines[: one + 1],
        [*lines[: one + 1], b"\n", *lines[one + 1 :]],
        [],
    ):
        assert examine(b"".join(changed), whole[1])[1]


def test_another_way_to_write_the_same_is_found(whole: tuple[bytes, Head]) -> None:
    text, head = whole
    for old, new in ((b'": ', b'":'), (b"Ada", b"\\u0041da"), (b'Z", "who', b'+00:00", "who')):
        assert old in text
        assert examine(text.replace(old, new, 1), head)[1]


@given(st.data())
def test_a_rehashed_entry_is_found(whole: tuple[bytes, Head], data: st.DataObject) -> None:
    """Whoever knows the format seals what was edited, or the whole rest of the chain: the head still disagrees."""
    entries = [Entry.model_validate_json(line) for line in whole[0].splitlines()]
    at = data.draw(st.integers(0, len(entries) - 1))
    entries[at] = entries[at].model_copy(update={"who": "Nobody"}).sealed()
    assert examine(b"".join(entry.line() for entry in entries), whole[1])[1]
    for number in range(at + 1, len(entries)):
        entries[number] = entries[number].model_copy(update={"previous": entries[number - 1].sha256}).sealed()
    text = b"".join(entry.line() for entry in entries)
    assert examine(text, whole[1])[1]
    # The limit that the docstring states: with the head rewritten too, only the repository's history tells.
    assert not examine(text, Head(count=len(entries), sha256=entries[-1].sha256))[1]


@given(st.data())
def test_a_torn_last_line_is_only_accepted_beyond_the_head(whole: tuple[bytes, Head], data: st.DataObject) -> None:
    text, head = whole
    lines = text.splitlines(keepends=True)
    torn = lines[-1][: data.draw(st.integers(1, len(lines[-1]) - 1))]
    before = Head(count=5, sha256=json.loads(lines[-2])["sha256"])
    assert examine(b"".join(lines[:-1]) + torn, before) == (examine(text, head)[0][:5], [])
    assert examine(b"".join(lines[:-1]) + torn, head)[1]
    assert examine(text + torn, head)[1] == []
    assert examine(text + torn, before)[1]


def test_a_head_that_is_gone_or_wrong_is_found(ledger: Ledger) -> None:
    looked(ledger, 2)
    for wrong in (b"", b"{}", b'{"count":2,"sha256":""}', b'{"count":3,"sha256":"%s"}' % (b"0" * 64)):
        ledger.head.write_bytes(wrong)
        assert verify(ledger.path)
        with pytest.raises(LedgerDamaged, match="Restore both"):
            ledger.look(REQUEST, GOLDEN, 9)
    ledger.head.unlink()
    assert verify(ledger.path)


def test_a_ledger_that_is_gone_while_its_head_stays_is_found(ledger: Ledger) -> None:
    looked(ledger, 2)
    ledger.path.unlink()
    assert verify(ledger.path)
    with pytest.raises(LedgerDamaged):
        ledger.look(REQUEST, GOLDEN, 9)


def test_a_ledger_never_begun_is_sound(ledger: Ledger) -> None:
    assert verify(ledger.path) == []
    assert ledger.entries() == []
    assert not ledger.path.exists()


DRIVER = """
import os, signal, sys
from pathlib import Path
import evals.golden.ledger as room
from tests.evals.golden.test_ledger import GOLDEN, REQUEST

where, times, ledger = sys.argv[1], int(sys.argv[2]), room.Ledger(Path(sys.argv[3]))
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
for _ in range(times):
    print(ledger.look(REQUEST, GOLDEN, 1000).number, flush=True)
if where == "before the head":
    room.replace_file = die
if where == "in mid-line":
    def half(self, file, entry):
        file.write(entry.line()[:100]); file.flush(); die()
    room.Ledger._append = half
if where != "nowhere":
    ledger.look(REQUEST, GOLDEN, 1000)
"""


def drive(ledger: Ledger, where: str, times: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", DRIVER, where, str(times), str(ledger.path)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("where", "kept"), [("before the head", 1), ("in mid-line", 0)])
@pytest.mark.parametrize("times", [0, 2])
def test_what_kill_9_leaves_is_sound_and_mended(ledger: Ledger, where: str, kept: int, times: int) -> None:
    process = drive(ledger, where, times)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert verify(ledger.path) == []
    look = ledger.look(REQUEST, GOLDEN, 1000)
    assert look.before == times + kept
    assert verify(ledger.path) == []
    head = Head.model_validate_json(ledger.head.read_bytes())
    assert head.count == look.number == ledger.path.read_bytes().count(b"\n")


def test_a_crash_is_mended_before_the_next_one(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    import evals.golden.ledger as room

    def fail(path: Path, data: bytes) -> None:
        raise OSError("no head for this one")

    ledger.look(REQUEST, GOLDEN, 9)
    for _ in range(2):
        with monkeypatch.context() as broken, pytest.raises(OSError, match="no head"):
            broken.setattr(room, "replace_file", fail)
            ledger.look(REQUEST, GOLDEN, 9)
        with pytest.raises(LockedError):
            ledger.look(REQUEST, GOLDEN, 1)  # a refusal mends as well
        assert verify(ledger.path) == []
    assert Head.model_validate_json(ledger.head.read_bytes()).count == 3


def test_two_processes_never_take_the_same_look(ledger: Ledger) -> None:
    racing = [drive(ledger, "nowhere", 15) for _ in range(2)]
    numbers = [int(number) for process in racing for number in process.communicate(timeout=120)[0].split()]
    assert sorted(numbers) == list(range(1, 31))
    assert verify(ledger.path) == []


def test_killed_at_any_time_every_look_that_was_granted_is_there(ledger: Ledger) -> None:
    process = drive(ledger, "nowhere", 1000)
    assert process.stdout
    granted = [int(process.stdout.readline()) for _ in range(10)]
    process.kill()
    granted += [int(number) for number in process.communicate(timeout=60)[0].split()]
    assert verify(ledger.path) == []
    assert len(ledger.entries()) in (len(granted), len(granted) + 1)


def test_threads_of_one_process_do_not_share_a_look(ledger: Ledger) -> None:
    with ThreadPoolExecutor(4) as pool:
        looks = list(pool.map(lambda _: ledger.look(REQUEST, GOLDEN, 100).number, range(20)))
    assert sorted(looks) == list(range(1, 21))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two sets with a test split, one without."""
    for name in ("one", "two"):
        cases = [case_json(f"{name}-a"), case_json(f"{name}-b", split="test", **ABSTAIN)]
        write_set(tmp_path, cases, name=name, stated={"looks": 2})
    write_set(tmp_path, [case_json("c")], name="open")
    return tmp_path


def ids(root: Path, names: list[str]) -> list[list[str]]:
    return [[case.id for case in golden.cases] for golden in unlock(root, names, REQUEST)[0]]


def test_unlocking_reads_the_test_cases_of_each_set(root: Path) -> None:
    assert ids(root, ["one", "open", "two"]) == [["one-b"], [], ["two-b"]]
    assert not (root / "open" / "ledger.jsonl").exists()
    sets, look = unlock(root, ["two"], REQUEST)
    assert (look.number, look.before, look.budget) == (2, 1, 2)
    write_set(root, [case_json("three-b", split="test")], name="three", stated={"looks": 9})
    of_both = unlock(root, ["three", "one"], REQUEST)[1]
    assert (of_both.number, of_both.before, of_both.budget) == (2, 1, 9)
    look.close("PASS")
    assert [e.golden_sha256 for e in Ledger(root / "two/ledger.jsonl").entries()] == [sets[0].sha256] * 3


def test_a_refusal_costs_no_set_a_look(root: Path) -> None:
    for _ in range(2):
        unlock(root, ["two"], REQUEST)
    with pytest.raises(LockedError, match="'two' was looked at 2 times"):
        unlock(root, ["one", "two"], REQUEST)
    (root / "two/ledger.jsonl").write_bytes(b"")
    with pytest.raises(LedgerDamaged):
        unlock(root, ["one", "two"], REQUEST)
    with pytest.raises(LockedError, match="say in 10 characters"):
        unlock(root, ["one"], replace(REQUEST, reason="none"))
    with pytest.raises(LockedError, match="no test split in open"):
        unlock(root, ["open"], REQUEST)
    write_set(root, [case_json("b", split="test")], name="one", stated={"sha256": "0" * 64})
    with pytest.raises(GoldenSetError, match="evals validate one"):
        unlock(root, ["one"], REQUEST)
    assert not (root / "one" / "ledger.jsonl").exists()


def test_the_look_is_on_the_disk_before_a_case_is_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import evals.golden.ledger as room

    seen: list[int] = []
    load = room.load_golden_set

    def spy(folder: Path, name: str, split: str = "dev") -> object:
        if split == "test":
            seen.append(len(Ledger(folder / name / "ledger.jsonl").entries()))
        return load(folder, name, split)  # type: ignore[arg-type]

    monkeypatch.setattr(room, "load_golden_set", spy)
    unlock(root, ["one", "two"], REQUEST)
    assert seen == [1, 1]


def test_nobody_else_loads_test_cases() -> None:
    """Only the ledger loads the test split, only what shows no case loads both; a split is always written out."""
    may = {"evals/golden/ledger.py": {"test"}, "evals/commands/golden.py": {None}, "evals/review/desk.py": {None}}
    for path in sorted((ROOT / "evals").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "load_golden_set":
                named = [keyword.value for keyword in node.keywords if keyword.arg == "split"]
                for given in (*node.args[2:], *named):
                    assert isinstance(given, ast.Constant), f"{name}:{node.lineno}: write the split out"
                    assert given.value in {"dev", *may.get(name, ())}, f"{name}:{node.lineno} reads {given.value}"
                assert not any(isinstance(argument, ast.Starred) for argument in node.args), f"{name}:{node.lineno}"
