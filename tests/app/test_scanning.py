"""The scan finds what is planted, in every form that a home can hold it in, and says nothing where there is nothing."""

import bz2
import gzip
import lzma
import random
import sqlite3
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.scanning import CHUNK, OVERLAP, Scan
from app.store.database import open_database
from app.store.erasure import DatabaseFile
from retrieval.traces import Traces

SAID = "Our colleague Jänne Q. Doe leads the pump team of the northern building and answers at extension 4711."
TRACES = Traces(["jänne q. doe"], [SAID])
RANDOM = np.random.default_rng(7)
VECTOR = RANDOM.standard_normal(384).astype("<f4").tobytes()
SPARSE = np.bincount([9, 77, 300], minlength=384).astype("<f4").tobytes()
NOISE = random.Random(3).randbytes(200_000)


def silent(step: str, done: int, total: int) -> None: ...


def scanned(home: Path, vectors: tuple[bytes, ...] = (), traces: Traces = TRACES) -> dict[str, str]:
    return {trace.where: trace.form for trace in Scan(traces, vectors).home(home, silent)}


def npz(path: Path, value: str) -> None:
    np.savez_compressed(path, words=np.array([value]))
    path.with_suffix(".bin.npz").rename(path)


def zipped(path: Path, value: str) -> None:
    inner = path.with_suffix(".inner")
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", value)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(inner, "inner.zip")
    inner.unlink()


def database(path: Path, value: str) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE t (x TEXT)")
        db.execute("INSERT INTO t VALUES (?)", (value,))
    db.close()


FORMS: dict[str, Callable[[Path, str], object]] = {
    "text": lambda path, value: path.write_text(value, "utf-8"),
    "upper case": lambda path, value: path.write_text(value.upper(), "utf-8"),
    "other line breaks": lambda path, value: path.write_text(value.replace(" ", "\r\n\t"), "utf-8"),
    "decomposed": lambda path, value: path.write_text(value.replace("ä", "a\u0308"), "utf-8"),
    "json": lambda path, value: path.write_text('"' + value.replace("ä", "\\u00e4") + '"', "utf-8"),
    "html": lambda path, value: path.write_text(value.replace("ä", "&auml;").replace(" ", "&#32;"), "utf-8"),
    "url": lambda path, value: path.write_text(value.replace("ä", "%C3%A4").replace(" ", "%20"), "utf-8"),
    "utf-16-le": lambda path, value: path.write_bytes(b"x" + value.encode("utf-16-le")),
    "utf-16-be": lambda path, value: path.write_bytes(value.encode("utf-16-be")),
    "utf-32": lambda path, value: path.write_bytes(b"abc" + value.encode("utf-32-le")),
    "in noise": lambda path, value: path.write_bytes(NOISE + value.encode() + NOISE),
    "across chunks": lambda path, value: path.write_bytes(b" " * (CHUNK - 20) + value.encode()),
    "gzip": lambda path, value: path.write_bytes(gzip.compress(value.encode())),
    "xz": lambda path, value: path.write_bytes(lzma.compress(value.encode())),
    "bzip2": lambda path, value: path.write_bytes(bz2.compress(value.encode())),
    "zlib": lambda path, value: path.write_bytes(zlib.compress(value.encode())),
    "zip in a zip": zipped,
    "npz": npz,
    "sqlite": database,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", ["Jänne Q. Doe", SAID[30:96]], ids=["word", "run"])
def test_what_is_planted_is_found(tmp_path: Path, form: str, value: str) -> None:
    FORMS[form](tmp_path / "planted.bin", f" {value} ")
    (tmp_path / "clean.bin").write_bytes(NOISE)
    assert set(scanned(tmp_path)) == {"planted.bin"}


@pytest.mark.parametrize("vector", [VECTOR, SPARSE], ids=["dense", "sparse"])
@pytest.mark.parametrize("offset", [0, 1, 31, 32, 45, CHUNK - OVERLAP + 7, CHUNK - 700])
def test_a_vector_is_found_at_any_offset(tmp_path: Path, vector: bytes, offset: int) -> None:
    (tmp_path / "index").write_bytes(bytes(offset) + vector + NOISE)
    assert scanned(tmp_path, (VECTOR, SPARSE)) == {"index": "vector"}
    (tmp_path / "index").write_bytes(bytes(offset) + vector[:-4] + b"\1\2\3\4" + NOISE)
    assert scanned(tmp_path, (VECTOR, SPARSE)) == {}


@given(st.integers(0, 5_000), st.lists(st.floats(width=32, allow_nan=False), min_size=20, max_size=64))
def test_any_vector_is_found_anywhere(offset: int, values: list[float]) -> None:
    vector = np.array(values, dtype="<f4").tobytes()
    found = set(Scan(Traces([], []), [vector])._chunk(NOISE[:offset] + vector + NOISE))
    assert found == ({"vector"} if any(vector) else set())


def test_names_of_files_count(tmp_path: Path) -> None:
    (tmp_path / "Jänne Q. Doe.txt").write_text("nothing", "utf-8")
    assert scanned(tmp_path) == {"Jänne Q. Doe.txt": "name"}


def test_what_cannot_be_looked_through_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.zip").write_bytes(b"PK\3\4" + NOISE)
    monkeypatch.setattr("app.scanning.MAX_INFLATED", 1_000)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(5_000_000)))
    found = scanned(tmp_path)
    assert set(found) == {"broken.zip", "bomb.gz"} and all(form.startswith("not looked") for form in found.values())


def test_cells_of_tables_that_nobody_knows_are_looked_at(tmp_path: Path) -> None:
    engine = open_database(tmp_path)
    database(tmp_path / "assay.db", SAID)
    with sqlite3.connect(tmp_path / "assay.db") as db:
        db.execute("INSERT INTO vectors VALUES ('e', 'h', ?)", (VECTOR,))
    db.close()
    traces = list(Scan(TRACES, [VECTOR]).cells(DatabaseFile(engine).cells()))
    assert {trace.where for trace in traces} == {"database: t.x", "database: vectors.vector"}
