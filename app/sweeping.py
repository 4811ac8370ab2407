"""Files under the home that evaluations, exports and crashes leave, less what tells of something erased."""

import lzma
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.files import write_file
from retrieval.traces import Traces

LINES = {"runs": "eval records", "promoted": "drafts", "redteam": "attacks"}
"""Folders of files that hold one JSON object a line, and what such a line is."""
WHOLE = {"eval-cache": "cached turns", "runs": "eval reports", "mlflow-artifacts": "eval reports", "redteam": "attacks"}
"""Folders whose other files can be made again: one that tells of it is removed."""
MAX_BYTES = 500_000_000
"""Of one file that is rewritten; a larger one is left, and the scan reports it."""
_LEFT = (".tmp", ".partial", ".gone")


@dataclass(frozen=True, slots=True)
class Sweep:
    """What of the files tells of it: the erased documents' ids, and traces of words and texts."""

    home: Path
    doc_ids: Collection[str]
    traces: Traces

    def run(self, *, dry: bool = False) -> tuple[Counter[str], list[str]]:
        """Rewrite or remove what tells of it; `dry` only counts.

        Returns:
            Lines and files by kind, and the files that were, or would be, rewritten or removed.
        """
        done: Counter[str] = Counter()
        changed: list[str] = []
        for path, folder in self._files():
            kept = self._kept_lines(path) if path.name.endswith((".jsonl", ".jsonl.xz")) else None
            if kept is not None:
                lines, gone = kept
                if gone:
                    done[LINES.get(folder, "lines")] += gone
                    changed.append(path.relative_to(self.home).as_posix())
                    if not dry:
                        _write_lines(path, lines)
            elif self._tells(path):
                done[WHOLE.get(folder, "leftovers")] += 1
                changed.append(path.relative_to(self.home).as_posix())
                if not dry:
                    path.unlink(missing_ok=True)
        return done, changed

    def tells(self, text: str) -> bool:
        """Whether a text names an erased document or holds a trace."""
        return any(doc_id in text for doc_id in self.doc_ids) or self.traces.in_text(text)

    def _files(self) -> Iterator[tuple[Path, str]]:
        for folder in sorted({*LINES, *WHOLE}):
            for path in sorted((self.home / folder).rglob("*")):
                if path.is_file() and not path.is_symlink():
                    yield path, folder
        for path in sorted(self.home.glob("*/*")):  # what a crash left of a file that was being written
            if path.is_file() and path.name.endswith(_LEFT) and path.parent.name not in {*LINES, *WHOLE}:
                yield path, ""

    def _kept_lines(self, path: Path) -> tuple[list[bytes], int] | None:
        """The lines that stay, and how many go; None for a file that is not lines."""
        data = _read(path)
        if data is None:
            return None
        lines = data.splitlines(keepends=True)
        kept = [line for line in lines if not self.tells(line.decode("utf-8", "replace"))]
        return kept, len(lines) - len(kept)

    def _tells(self, path: Path) -> bool:
        if self.tells(path.relative_to(self.home).as_posix()):
            return True
        data = _read(path)
        return data is not None and self.tells(data.decode("utf-8", "replace"))


def _read(path: Path) -> bytes | None:
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        data = path.read_bytes()
        return lzma.decompress(data) if path.suffix == ".xz" else data
    except (OSError, lzma.LZMAError):
        return None


def _write_lines(path: Path, lines: list[bytes]) -> None:
    data = b"".join(lines)
    if path.suffix == ".xz":
        data = lzma.compress(data, preset=9)
    write_file(path, data, mode=path.stat().st_mode & 0o777)
