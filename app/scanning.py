"""Looks through every byte of a home for traces of what was erased. Memory is bounded, whatever the files' size."""

import bz2
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from retrieval.folding import fold
from retrieval.traces import Traces

CHUNK, OVERLAP = 4_194_304, 16_384
"""Bytes looked at together, and of them those that are looked at with the next chunk again."""
MAX_INFLATED = 4_000_000_000
"""Of one compressed file. What inflates to more is reported as not looked through."""
MAX_DEPTH = 3
VECTOR_STEP, VECTOR_WINDOW = 32, 40

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Trace:
    """Where something was found: a file under the home or a column, and in which form. Never what it was."""

    where: str
    form: str


class Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, b"" at the end."""
        ...


class Scan:
    """What to look for: words and runs of texts, and vectors as float32 bytes."""

    def __init__(self, traces: Traces, vectors: Sequence[bytes] = ()) -> None:
        self._traces = traces
        self._exact = sorted(_encoded(traces.words))
        self._windows, self._short = _windows(vectors)
        # Compatibility forms are shorter than what they stand for, "ﬃ" for three letters: hence half of the shortest.
        least = min(16, max(3, traces.shortest // 2))
        self._readable = re.compile(f"[^\ufffd\x00-\x08\x0e-\x1f]{{{least},}}")

    def home(self, home: Path, progress: Progress) -> Iterator[Trace]:
        """Every file under a home, its name included. Links are not followed: what they lead to is not the home's."""
        paths = sorted(path for path in home.rglob("*") if path.is_file() and not path.is_symlink())
        sizes = [path.stat().st_size if path.exists() else 0 for path in paths]
        done, total = 0, sum(sizes)
        for path, size in zip(paths, sizes, strict=True):
            name = path.relative_to(home).as_posix()
            yield from (Trace(name, form) for form in sorted(self._file(path, name)))
            done += size
            progress("scan", done, total)

    def cells(self, cells: Iterable[tuple[str, str | bytes]]) -> Iterator[Trace]:
        """Every cell of a database."""
        found = set()
        for column, value in cells:
            told = self._traces.in_text(value) if isinstance(value, str) else set(self._chunk(value))
            if told and column not in found:
                found.add(column)
                yield Trace(f"database: {column}", "value")

    def _file(self, path: Path, name: str) -> set[str]:
        try:
            found = {"name"} if any(word in fold(name) for word in self._traces.words) else set()
            with path.open("rb") as file:
                found |= self._stream(file, found)
            return found | self._inflated(path)
        except FileNotFoundError:  # a service goes on meanwhile: its log files come and go
            return set()
        except OSError as error:
            return {f"not looked through: {error.strerror}"}

    def _stream(self, stream: Readable, found: set[str], limit: int | None = None) -> set[str]:
        kept, read = b"", 0
        while chunk := stream.read(CHUNK):
            read += len(chunk)
            if limit is not None and read > limit:
                return found | {"not looked through: it inflates to too much"}
            found = found | set(self._chunk(kept + chunk))
            kept = chunk[-OVERLAP:]
        return found

    def _chunk(self, chunk: bytes) -> Iterator[str]:
        """The forms in which a piece of a file tells of it."""
        if any(word in chunk for word in self._exact):
            yield "bytes"
        if self._traces.in_text(self._text(chunk)):
            yield "text"
        for encoding, pattern in _WIDE.items() if chunk.count(0) > len(chunk) // 50 else ():
            found = "\0".join(run[0].decode(encoding, "ignore") for run in pattern.finditer(chunk))
            if found and self._traces.in_text(found):
                yield encoding
        if self._has_vector(chunk):
            yield "vector"

    def _text(self, chunk: bytes) -> str:
        """What of a piece of a file is UTF-8 text: all of it, or, of other bytes, what a reader would see as text."""
        try:
            return chunk.decode("utf-8")
        except UnicodeDecodeError:
            return "\0".join(self._readable.findall(chunk.decode("utf-8", "replace")))

    def _has_vector(self, chunk: bytes) -> bool:
        if any(vector in chunk for vector in self._short):
            return True
        if not self._windows:
            return False
        for at in range(0, len(chunk) - VECTOR_WINDOW + 1, VECTOR_STEP):
            for vector, phase in self._windows.get(chunk[at : at + VECTOR_WINDOW], ()):
                start = at - phase
                if start >= 0 and chunk[start : start + len(vector)] == vector:
                    return True
        return False

    def _inflated(self, path: Path) -> set[str]:
        """What is found inside of a compressed file."""
        found: set[str] = set()
        with path.open("rb") as file:
            head = file.read(6)
        if head[:2] == b"PK":
            found = self._zip(path)
        else:
            opened = _opened(path, head)
            if opened is not None:
                with opened as stream:
                    try:
                        found = self._stream(stream, set(), MAX_INFLATED)
                    except (OSError, EOFError, lzma.LZMAError, zlib.error):
                        found = set()  # it only looked compressed: its own bytes have been looked through
        return {form if form.startswith("not ") else f"compressed {form}" for form in found}

    def _zip(self, path: Path | IO[bytes], depth: int = 1) -> set[str]:
        found: set[str] = set()
        try:
            with zipfile.ZipFile(path) as archive:
                for member in archive.infolist():
                    with archive.open(member) as stream:
                        found |= self._stream(stream, set(), MAX_INFLATED)
                    if any(word in fold(member.filename) for word in self._traces.words):
                        found.add("name")
                    if member.filename.endswith((".zip", ".docx", ".xlsx", ".npz")) and depth < MAX_DEPTH:
                        with archive.open(member) as inner:
                            found |= self._zip(inner, depth + 1)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error):
            found.add("not looked through: an archive that cannot be read")
        return found


class _Inflating:
    """A raw zlib stream, read piece by piece."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._inflater = zlib.decompressobj()

    def read(self, size: int, /) -> bytes:
        while not self._inflater.eof:
            held = self._inflater.unconsumed_tail or self._file.read(65_536)
            if not held:
                return b""
            if data := self._inflater.decompress(held, size):
                return data
        return b""

    def __enter__(self) -> "_Inflating":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _opened(path: Path, head: bytes) -> AbstractContextManager[Readable] | None:
    """The bytes that a compressed file inflates to; None for one that is not."""
    if head[:2] == b"\x1f\x8b":
        import gzip

        return gzip.open(path, "rb")
    if head[:6] == b"\xfd7zXZ\0":
        return lzma.open(path, "rb")
    if head[:3] == b"BZh":
        return bz2.open(path, "rb")
    if head[:1] == b"\x78" and len(head) > 1 and (head[0] * 256 + head[1]) % 31 == 0:
        return _Inflating(path)
    return None


_WIDE = {
    "utf-16-le": re.compile(rb"(?:[\t\n\r -\xff][\x00-\x05]){5,}+"),
    "utf-16-be": re.compile(rb"(?:[\x00-\x05][\t\n\r -\xff]){5,}+"),
    "utf-32-le": re.compile(rb"(?:[\t\n\r -\xff][\x00-\x05]\x00\x00){5,}+"),
}
"""Runs of letters in wider encodings: Latin, Greek and Cyrillic. Words in other scripts are looked for as bytes."""


def _encoded(words: Iterable[str]) -> set[bytes]:
    """Words in the usual ways of writing them, in the encodings that text is not looked at in."""
    forms = {form for word in words for form in (word, word.upper(), word.title(), word.capitalize())}
    return {form.encode(encoding) for form in forms for encoding in ("utf-16-le", "utf-16-be", "utf-32-le")}


def _windows(vectors: Sequence[bytes]) -> tuple[dict[bytes, list[tuple[bytes, int]]], list[bytes]]:
    """Pieces of vectors, so that one look at every 32nd byte finds each of them; and those that are too short.

    A piece reaches over the first bytes that are not zero: sparse vectors have long stretches of zeros in common.
    """
    found: dict[bytes, list[tuple[bytes, int]]] = {}
    short = []
    for vector in vectors:
        first = next((at for at in range(VECTOR_STEP, len(vector) - VECTOR_WINDOW) if vector[at]), None)
        if first is None:
            short.append(vector)
            continue
        for phase in range(first - VECTOR_STEP, first):
            found.setdefault(vector[phase : phase + VECTOR_WINDOW], []).append((vector, phase))
    return found, [vector for vector in short if any(vector)]
