"""Bench data from disk: JSON lines (plain or .gz) and judgements, every input bounded, every fault with its line."""

import csv
import gzip
import io
import math
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evals.errors import BenchError
from retrieval.types import Query

MAX_ROWS = 500_000
MAX_LINE_BYTES = 4_000_000
MAX_FILE_BYTES = 2_000_000_000
"""After inflation: a small .gz may hold anything."""

QueryField = Literal["text", "rewrite", "all_questions"]
SPEAKER = "|user|:"
"""Stands before each question of a conversation."""
QUERY_FIELDS: tuple[QueryField, ...] = ("text", "rewrite", "all_questions")
QRELS_HEADER = ["query-id", "corpus-id", "score"]


class Row(BaseModel):
    """One line of bench data. Keys that are not named here are kept and not read: public sets have their own."""

    model_config = ConfigDict(extra="allow", frozen=True)


class DocumentRow(Row):
    """A document."""

    id: str = Field(min_length=1, max_length=2_000)
    title: str = ""
    text: str


class QueryRow(Row):
    """A question. `rewrite` stands on its own; `all_questions` is the conversation's, one a line."""

    id: str = Field(min_length=1, max_length=2_000)
    text: str = Field(pattern=r"\S")
    rewrite: str | None = None
    all_questions: str | None = None
    answers: tuple[str, ...] = ()
    answerable: bool = True
    gold_sentences: tuple[str, ...] = ()
    source: str = ""

    def asked(self, field: QueryField) -> Query:
        """The question as one of its fields has it; `all_questions` brings those before it, one after each mark."""
        said = [part.strip() for part in (getattr(self, field) or "").split(SPEAKER)]
        *earlier, last = [part for part in said if part] or [""]
        return Query(last, tuple(earlier))


@dataclass(frozen=True, slots=True)
class RetrievalSet:
    """Documents, questions, and for each question the grade of every judged document."""

    corpus: list[DocumentRow]
    queries: list[QueryRow]
    qrels: Mapping[str, Mapping[str, float]]


Read = TypeVar("Read", bound=Row)


def read_retrieval(folder: Path, query_field: QueryField = "text") -> RetrievalSet:
    """Read corpus.jsonl[.gz], queries.jsonl[.gz] and qrels.tsv of a folder.

    Raises:
        BenchError: A file is missing or a line is not in the format; the message names both and what was expected.
    """
    if not folder.is_dir():
        raise BenchError(f"{folder} is no folder. Expected one with corpus.jsonl.gz, queries.jsonl.gz and qrels.tsv.")
    corpus = _by_id(_rows_file(folder, "corpus"), DocumentRow)
    path = _rows_file(folder, "queries")
    queries = _by_id(path, QueryRow)
    for query in queries.values():
        if not query.asked(query_field).text:
            raise BenchError(f"{path}: query '{query.id}' has no '{query_field}'. Choose another --query-field.")
    return RetrievalSet(
        list(corpus.values()), list(queries.values()), _qrels(folder / "qrels.tsv", corpus.keys(), queries.keys())
    )


def read_rows(path: Path, model: type[Read]) -> Iterator[tuple[int, Read]]:
    """Line numbers and rows of a file of JSON objects, one a line; blank lines are passed over.

    Raises:
        BenchError: It cannot be read, is too large, or a line is not in the format.
    """
    for number, line in _lines(path):
        if line.strip():
            try:
                yield number, model.model_validate_json(line)
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False)[0]
                field = ".".join(map(str, first["loc"])) or "line"
                keys = ", ".join(name for name, info in model.model_fields.items() if info.is_required())
                raise BenchError(
                    f"{path}:{number}: {field}: {first['msg']}. Expected a JSON object with {keys}."
                ) from None


def _by_id(path: Path, model: type[Read]) -> dict[str, Read]:
    rows: dict[str, Read] = {}
    for number, row in read_rows(path, model):
        name = str(getattr(row, "id"))  # noqa: B009 -- both models have one, their base has none
        if name in rows:
            raise BenchError(f"{path}:{number}: the id '{name}' stands on an earlier line too. Expected unique ids.")
        rows[name] = row
    if not rows:
        raise BenchError(f"{path} holds no rows.")
    return rows


def _rows_file(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}.jsonl.gz", folder / f"{name}.jsonl"):
        if path.is_file():
            return path
    raise BenchError(f"{folder} has no {name}.jsonl.gz. Expected corpus.jsonl.gz, queries.jsonl.gz and qrels.tsv.")


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Numbered lines, read no further than the bounds."""
    size = number = 0
    try:
        with _opened(path) as file:
            while line := file.readline(MAX_LINE_BYTES + 1):
                number, size = number + 1, size + len(line)
                if len(line) > MAX_LINE_BYTES:
                    raise BenchError(f"{path}:{number}: longer than {MAX_LINE_BYTES:,} bytes. Split the row.")
                if number > MAX_ROWS or size > MAX_FILE_BYTES:
                    raise BenchError(
                        f"{path}:{number}: more than {MAX_ROWS:,} rows or {MAX_FILE_BYTES:,} bytes. Cut the file."
                    )
                yield number, line
    except (OSError, EOFError, zlib.error) as error:
        raise BenchError(f"{path} cannot be read: {error}") from None


def _opened(path: Path) -> IO[bytes]:
    return io.BufferedReader(gzip.GzipFile(path)) if path.suffix == ".gz" else path.open("rb")


def _qrels(path: Path, documents: Collection[str], queries: Collection[str]) -> dict[str, dict[str, float]]:
    grades: dict[str, dict[str, float]] = {}
    for number, line in _lines(path):
        try:
            cells = next(csv.reader([line.decode("utf-8").rstrip("\r\n")], delimiter="\t", quoting=csv.QUOTE_NONE), [])
        except UnicodeDecodeError as error:
            raise BenchError(f"{path}:{number} is not UTF-8: {error}") from None
        if number == 1:
            if cells != QRELS_HEADER:
                raise BenchError(f"{path}:1: expected the header {' <tab> '.join(QRELS_HEADER)}.")
        elif cells:
            query, document, grade = _judgement(cells, f"{path}:{number}")
            _check_known(query, queries, "query", f"{path}:{number}")
            _check_known(document, documents, "document", f"{path}:{number}")
            if document in grades.setdefault(query, {}):
                raise BenchError(f"{path}:{number}: '{query}' and '{document}' are judged on an earlier line too.")
            grades[query][document] = grade
    return grades


def _judgement(cells: list[str], where: str) -> tuple[str, str, float]:
    try:
        query, document, score = cells
        grade = float(score)
    except ValueError:
        raise BenchError(f"{where}: expected {' <tab> '.join(QRELS_HEADER)}, the score a number.") from None
    if not 0 <= grade < math.inf:
        raise BenchError(f"{where}: the score is {score}. Expected 0 (not relevant) or a positive grade.")
    return query, document, grade


def _check_known(name: str, known: Collection[str], what: str, where: str) -> None:
    if name not in known:
        raise BenchError(f"{where}: there is no {what} '{name}' in the set.")
