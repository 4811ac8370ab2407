"""What a test looks for in a home by itself, apart from the scan that it tests: a plain search over all bytes."""

import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Iterator
from pathlib import Path


def remains(home: Path, value: str) -> list[str]:
    """Files under a home that hold a value: by name, plain, escaped, as UTF-16 or UTF-32, or compressed."""
    words = {value.lower().encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le")}
    words.add(json.dumps(value)[1:-1].lower().encode())
    return [
        path.relative_to(home).as_posix()
        for path in sorted(home.rglob("*"))
        if path.is_file()
        and (value.lower() in path.name.lower() or any(word in data.lower() for data in _bytes(path) for word in words))
    ]


def _bytes(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    yield data
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    if data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)
    if data[:6] == b"\xfd7zXZ\0":
        yield lzma.decompress(data)
