"""Files are replaced whole; a card keeps every character that does not count cases."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.errors import GoldenSetError
from evals.golden.cards import read_card
from evals.golden.cases import Case, cases_hash, load_cases, load_unsplit
from evals.golden.writing import case_line, fix_card, replace_file, write_card, write_cases
from tests.evals.conftest import ABSTAIN, case_json, make_case, write_set

FRONT = """\
# who wrote this card: we
name: tiny
licence: Apache-2.0   # both
created: 2026-11-23
sha256: {old}
'cases': 99
splits:
  dev: 98

  test: 1
kinds: {{answerable: 98,
  policy: 1
}}

# a comment on actions
actions: {{}}
looks: 7
"""


@given(
    st.builds(
        make_case,
        question=st.text(min_size=1),
        retired=st.none() | st.text(min_size=1),
        slices=st.lists(st.text()),
        split=st.sampled_from(["dev", "test"]),
    )
)
def test_a_case_survives_its_line(case: Case) -> None:
    line = case_line(case)
    assert "\n" not in line
    assert Case.model_validate_json(line) == case


def test_cases_are_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    cases = [make_case(id="a", question="Größe\u2028?"), make_case(id="b", split="test")]
    write_cases(path, cases)
    assert load_cases(path) == cases
    before = path.read_bytes()
    write_cases(path, load_cases(path))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    replace_file(path, b"old")
    path.chmod(0o640)

    def fail(descriptor: int) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as broken, pytest.raises(OSError, match="disk full"):
        broken.setattr(os, "fsync", fail)
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640


def test_behind_a_link_the_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    replace_file(tmp_path / "link", b"new")
    assert (tmp_path / "real").read_bytes() == b"new"
    assert (tmp_path / "link").is_symlink()


def test_fixing_a_card_touches_only_what_counts(tmp_path: Path) -> None:
    cases = [case_json("a"), case_json("b", split="test", **ABSTAIN), case_json("c", retired="Unclear."),
             case_json("d", pending="tools")]  # fmt: skip
    folder = write_set(tmp_path, cases)
    prose = "Prose ---\n\ncases: 99\nsha256: kept\n"
    (folder / "card.md").write_text(f"---\n{FRONT.format(old='0' * 64)}---\n{prose}")
    card = fix_card(folder)
    assert card == read_card(folder / "card.md")
    assert (card.sha256, card.cases, card.retired) == (cases_hash(folder / "cases.jsonl"), 3, 1)
    assert (card.splits, card.kinds) == ({"dev": 2, "test": 1}, {"answerable": 2, "unanswerable": 1})
    assert (card.actions, card.pending, card.looks) == ({"answer": 2, "abstain": 1}, {"tools": 1}, 7)
    text = (folder / "card.md").read_text()
    for kept in (
        "# who wrote this card: we\n",
        "licence: Apache-2.0   # both\n",
        "\n\n# a comment on actions\n",
        prose,
    ):
        assert kept in text
    fix_card(folder)
    assert (folder / "card.md").read_text() == text


@pytest.mark.parametrize(
    ("card", "told"),
    [
        ("no front matter", "does not begin with front matter"),
        ("---\nname: tiny\n---\n", "licence: Field required"),
        ("---\nname: tiny\nlicence: x\ncreated: 2026-01-01\n? retired\n: 5\n---\n", "write retired by hand"),
        ("---\n{name: tiny}\n---\n", "not YAML"),
    ],
)
def test_a_card_that_cannot_be_fixed_is_left_alone(tmp_path: Path, card: str, told: str) -> None:
    folder = write_set(tmp_path, [case_json("a")])
    (folder / "card.md").write_text(card)
    with pytest.raises(GoldenSetError, match=told):
        fix_card(folder)
    assert (folder / "card.md").read_text() == card


def test_how_it_was_split_is_stated(tmp_path: Path) -> None:
    folder = write_set(tmp_path, [case_json("a")])
    cases = load_cases(folder / "cases.jsonl")
    assert write_card(folder / "card.md", cases, cases_hash(folder / "cases.jsonl"), "time").split_by == "time"
    assert fix_card(folder).split_by == "time"


def test_new_cases_may_lack_a_split_only_while_they_are_assigned(tmp_path: Path) -> None:
    new: dict[str, Any] = case_json("b")
    del new["split"]
    path = tmp_path / "cases.jsonl"
    path.write_text("\n".join([json.dumps(case_json("a", split="test")), "", json.dumps(new)]))
    cases, unassigned = load_unsplit(path)
    assert [(case.id, case.split) for case in cases] == [("a", "test"), ("b", "dev")]
    assert unassigned == {"b"}
    with pytest.raises(GoldenSetError, match=r"cases\.jsonl:3: split: Field required"):
        load_cases(path)
    for wrong in ("{broken", "[1]", '{"id": 1}'):
        path.write_text(wrong)
        with pytest.raises(GoldenSetError, match=r"cases\.jsonl:1: "):
            load_unsplit(path)
