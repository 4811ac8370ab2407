"""Bombs: files that inflate beyond bounds. Counted are bytes that really come out, never what a header declares."""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator

from retrieval.errors import ParseFailure
from retrieval.types import ReasonCode

MAX_MEMBERS = 20_000

_STEP = 65_536
_STREAM = re.compile(rb"(?<!end)stream\r?\n")
_IMAGE = re.compile(rb"/Subtype\s*/Image\b")
_DICTIONARY_BYTES = 1024
_MAX_LAYERS = 4  # filters of one PDF stream that are undone one after the other
_LOCAL_HEADER = 30


def check_zip(data: bytes, max_inflated_bytes: int) -> None:
    """Inflate every member of a zip archive and count.

    Archives inside the archive count as they are: no parser opens them. Overlapping members count each.

    Raises:
        ParseFailure: BOMB over the bound or with too many members; CORRUPT if a member lies outside of the file.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise ParseFailure(ReasonCode.BOMB, f"the archive has more than {MAX_MEMBERS:,} members")
    total = 0
    for member in members:
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ParseFailure(ReasonCode.UNSUPPORTED, f"zip compression method {member.compress_type}")
        start = _data_start(data, member.header_offset)
        if member.compress_type == zipfile.ZIP_STORED:
            total += member.compress_size
            _bound(total, max_inflated_bytes)
            continue
        # Not zipfile's own reader: it stops at the declared size, which other readers may not do.
        for size in _inflated_sizes(memoryview(data)[start:], -zlib.MAX_WBITS):
            total += size
            _bound(total, max_inflated_bytes)


def check_pdf(data: bytes, max_inflated_bytes: int) -> None:
    """Inflate every Flate stream of a PDF and count, layer upon layer where one filter follows another.

    Page content, fonts and object streams count together. An image counts alone: scans hold many large ones, and the
    text parser decodes none of them. Streams of an encrypted file cannot be looked into; the worker's memory bound
    stands behind this check.

    Raises:
        ParseFailure: BOMB over the bound.
    """
    total, position = 0, 0
    view = memoryview(data)
    while (found := _STREAM.search(data, position)) is not None:
        start = found.end()
        position = start
        if not _is_zlib(data[start : start + 2]):
            continue
        is_image = _IMAGE.search(data, max(0, found.start() - _DICTIONARY_BYTES), found.start()) is not None
        sizes = _layered_sizes(view[start:])
        counted = 0
        for size, consumed in sizes:
            counted += size
            _bound(counted if is_image else total + counted, max_inflated_bytes)
            position = start + consumed
        total += 0 if is_image else counted


def _bound(total: int, limit: int) -> None:
    if total > limit:
        raise ParseFailure(ReasonCode.BOMB, f"it inflates to more than {limit:,} bytes")


def _data_start(data: bytes, header: int) -> int:
    """Return where a member's data begins: after its local header, whose lengths may differ from the directory's."""
    if data[header : header + 4] != b"PK\x03\x04" or header + _LOCAL_HEADER > len(data):
        raise ParseFailure(ReasonCode.CORRUPT, "a member of the zip container is missing")
    name, extra = (int.from_bytes(data[header + at : header + at + 2], "little") for at in (26, 28))
    return header + _LOCAL_HEADER + name + extra


def _is_zlib(head: bytes) -> bool:
    return len(head) == 2 and head[0] & 0x0F == 8 and int.from_bytes(head, "big") % 31 == 0


def _inflated_sizes(data: memoryview, window_bits: int) -> Iterator[int]:
    """Yield the size of each inflated piece; damaged data ends the count, for it ends every reader too."""
    inflater = zlib.decompressobj(window_bits)
    for chunk, _ in _pieces(inflater, data):
        yield len(chunk)


def _layered_sizes(data: memoryview) -> Iterator[tuple[int, int]]:
    """Yield, piece by piece, the bytes that come out of all layers and the bytes of `data` consumed so far."""
    layers = [zlib.decompressobj()]
    for piece, consumed in _pieces(layers[0], data):
        size = len(piece)
        yield size, consumed
        if size and len(layers) == 1 and _is_zlib(piece[:2]):
            layers += [zlib.decompressobj() for _ in range(_MAX_LAYERS - 1)]
        if len(layers) > 1:
            for deeper in _through(layers[1:], piece):
                yield deeper, consumed


def _through(layers: list["zlib._Decompress"], piece: bytes) -> Iterator[int]:
    """Yield the sizes of what `piece` becomes in each deeper layer, step by step."""
    pending = [(0, piece)]
    while pending:
        depth, chunk = pending.pop()
        if depth == len(layers) or layers[depth].eof:
            continue
        for inner, _ in _pieces(layers[depth], memoryview(chunk)):
            yield len(inner)
            pending.append((depth + 1, inner))


def _pieces(inflater: "zlib._Decompress", data: memoryview) -> Iterator[tuple[bytes, int]]:
    """Feed `data` in steps and yield what comes out, at most one step at a time, with the bytes consumed so far."""
    fed = 0
    while not inflater.eof and fed < len(data):
        pending: bytes | memoryview = data[fed : fed + _STEP]
        fed += len(pending)
        while len(pending) and not inflater.eof:
            try:
                piece = inflater.decompress(pending, _STEP)
            except zlib.error:
                return
            pending = inflater.unconsumed_tail
            yield piece, fed - len(inflater.unused_data if inflater.eof else pending)
