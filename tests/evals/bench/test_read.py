"""Bench data from disk: what is wrong with it is said with file and line."""

import gzip
import tracemalloc
from pathlib import Path

import pytest

from evals.bench import read
from evals.bench.read import read_retrieval
from evals.errors import BenchError
from retrieval.types import Query
from tests.evals.bench.sets import DOCUMENTS, QRELS, jsonl, tsv, write_bench


def test_a_set_is_read_whole(tmp_path: Path) -> None:
    bench = read_retrieval(write_bench(tmp_path / "tiny"))
    assert [row.id for row in bench.corpus] == ["canary", "drift", "/etc/passwd"]
    assert [row.answerable for row in bench.queries] == [True, True, False]
    assert bench.qrels == {"q1": {"canary": 2.0, "drift": 1.0}, "q2": {"drift": 1.0, "canary": 0.0}}


def test_plain_and_windows_line_ends_are_read_alike(tmp_path: Path) -> None:
    crlf = write_bench(tmp_path / "crlf", qrels=tsv(QRELS).replace("\n", "\r\n"))
    assert read_retrieval(crlf) == read_retrieval(write_bench(tmp_path / "lf"))


def test_speaker_marks_are_no_words_of_a_question() -> None:
    row = read.QueryRow(id="q", text="x", all_questions="|user|: First?\n|user|: Second?")
    assert row.asked("all_questions") == Query("Second?", ("First?",))


WRONG = {
    "no corpus": ({"corpus": None}, "has no corpus.jsonl.gz"),
    "no queries": ({"queries": None}, "has no queries.jsonl.gz"),
    "no qrels": ({"qrels": None}, "qrels.tsv cannot be read"),
    "empty corpus": ({"corpus": ""}, "corpus.jsonl.gz holds no rows"),
    "not JSON": ({"corpus": jsonl(DOCUMENTS) + "{\n"}, "corpus.jsonl.gz:4: line: .*JSON object with id, text"),
    "not an object": ({"queries": "[1]\n"}, "queries.jsonl:1: line: .*object"),
    "no text": ({"corpus": '{"id": "a"}\n'}, "corpus.jsonl.gz:1: text: Field required"),
    "wrong type": ({"queries": '\n{"id": "a", "text": 5}\n'}, "queries.jsonl:2: text: "),
    "half a character": ({"corpus": '{"id": "a", "text": "\\ud800"}\n'}, "corpus.jsonl.gz:1: "),
    "blank question": ({"queries": '{"id": "a", "text": " "}\n'}, "queries.jsonl:1: text: "),
    "double id": ({"corpus": jsonl([*DOCUMENTS, DOCUMENTS[0]])}, "corpus.jsonl.gz:4: the id 'canary' stands"),
    "no header": ({"qrels": "q1\tcanary\t1\n"}, "qrels.tsv:1: expected the header query-id <tab>"),
    "two columns": ({"qrels": tsv([("q1", "canary")])}, "qrels.tsv:2: expected query-id <tab>"),
    "no number": ({"qrels": tsv([("q1", "canary", "yes")])}, "qrels.tsv:2: expected .*the score a number"),
    "nan": ({"qrels": tsv([("q1", "canary", "nan")])}, "qrels.tsv:2: the score is nan"),
    "negative": ({"qrels": tsv([("q1", "canary", -1)])}, "qrels.tsv:2: the score is -1"),
    "unknown query": ({"qrels": tsv([*QRELS, ("q9", "canary", 1)])}, "qrels.tsv:6: there is no query 'q9'"),
    "unknown document": ({"qrels": tsv([("q1", "gone", 1)])}, "qrels.tsv:2: there is no document 'gone'"),
    "judged twice": ({"qrels": tsv([*QRELS, QRELS[0]])}, "qrels.tsv:6: .* judged on an earlier line"),
}


@pytest.mark.parametrize(("files", "message"), WRONG.values(), ids=WRONG)
def test_wrong_formats_are_named_with_file_and_line(files: dict[str, str | None], message: str, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=message):
        read_retrieval(write_bench(tmp_path / "tiny", **files))


def test_a_missing_folder_and_a_missing_field_are_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="is no folder"):
        read_retrieval(tmp_path / "nothing")
    with pytest.raises(BenchError, match="query 'q1' has no 'rewrite'"):
        read_retrieval(write_bench(tmp_path / "tiny"), "rewrite")


@pytest.mark.parametrize(
    "damage", [lambda data: b"plain", lambda data: data[:-9], lambda data: data[:12] + b"\xff" * 40]
)
def test_a_broken_gz_is_an_error_of_the_data(damage, tmp_path: Path) -> None:
    folder = write_bench(tmp_path / "tiny")
    path = folder / "corpus.jsonl.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(BenchError, match=r"corpus\.jsonl\.gz cannot be read"):
        read_retrieval(folder)


def test_qrels_that_are_not_utf8_are_an_error_of_the_data(tmp_path: Path) -> None:
    folder = write_bench(tmp_path / "tiny")
    (folder / "qrels.tsv").write_bytes(tsv(QRELS).encode() + b"q1\t\xff\t1\n")
    with pytest.raises(BenchError, match=r"qrels\.tsv:6 is not UTF-8"):
        read_retrieval(folder)


def test_every_input_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_bench(tmp_path / "tiny")
    for bound, value, message in (
        ("MAX_ROWS", 2, r"corpus.jsonl.gz:3: more than 2 rows"),
        ("MAX_FILE_BYTES", 150, r"corpus.jsonl.gz:2: more than .* 150 bytes"),
        ("MAX_LINE_BYTES", 50, r"corpus.jsonl.gz:1: longer than 50 bytes"),
    ):
        with monkeypatch.context() as patch, pytest.raises(BenchError, match=message):
            patch.setattr(read, bound, value)
            read_retrieval(folder)


def test_a_bomb_is_not_inflated_beyond_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_bench(tmp_path / "tiny")
    (folder / "corpus.jsonl.gz").write_bytes(gzip.compress(b" " * 20_000_000))
    monkeypatch.setattr(read, "MAX_LINE_BYTES", 1_000)
    tracemalloc.start()
    try:
        with pytest.raises(BenchError, match=":1: longer than"):
            read_retrieval(folder)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
