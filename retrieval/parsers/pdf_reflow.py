"""Lines of a page back into paragraphs."""

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from retrieval.parsers.pdf_lines import Line, Page

_BULLET = re.compile(
    r"(?:[\u2022\u25cf\u25aa\u25a0\u2023\u25e6\u2013\u2014*\u00b7\uf0b7-]|\(?(?:\d{1,2}|[a-zA-Z])[.)])\s"
)
_CJK = re.compile("[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")
_RTL = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_HYPHENS = ("-", "\u2010")
_SAME_SIZE = 0.12
_PARAGRAPH_GAP = 1.3  # times the usual distance of lines
_MAX_GAP = 2.5  # times the size; lines further apart do not say what is usual


@dataclass(slots=True)
class Run:
    """Lines of one size that follow each other closely: a heading, a paragraph or several of them."""

    lines: list[Line]
    size: float
    level: int


def words_of(pages: list[Page]) -> Counter[str]:
    """Count the words of all lines but the broken ones: they tell how a broken word is written."""
    words: Counter[str] = Counter()
    for page in pages:
        broken = False
        for line in page.lines:
            found = _WORD.findall(line.text.lower())
            first = 1 if broken else 0
            broken = line.hyphenated or line.text.endswith(_HYPHENS)
            words.update(found[first : -1 if broken else None])
    return words


def runs_of(page: Page) -> list[Run]:
    """Cut a page where the size changes, the gap is wide or the text jumps to another column."""
    gaps = [a.y - b.y for a, b in pairwise(page.lines) if 0 < a.y - b.y < _MAX_GAP * b.size]
    usual = median(gaps) if gaps else 0.0
    runs: list[Run] = []
    for line in page.lines:
        run = runs[-1] if runs else None
        if run is not None and _continues(run, line, usual):
            run.lines.append(line)
        else:
            runs.append(Run([line], line.size, line.level))
    return runs


def _continues(run: Run, line: Line, usual_gap: float) -> bool:
    last = run.lines[-1]
    if abs(line.size - run.size) > _SAME_SIZE * run.size or line.level != run.level or line.bold != last.bold:
        return False
    gap = last.y - line.y
    if gap <= -0.5 * line.size:  # up again: the next column, in the middle of a sentence or not
        return last.hyphenated or (not last.text.endswith((".", ":", "!", "?")) and line.text[:1].islower())
    return gap <= max(_PARAGRAPH_GAP * usual_gap, 1.35 * line.size)


def paragraphs(run: Run, known: Counter[str]) -> list[str]:
    """Join the lines of a run. A deliberate line break stays, an indented line begins a new paragraph."""
    blocks = [run.lines[0].text]
    extents = _extents(run)
    for (last, (left, right)), (line, _) in pairwise(zip(run.lines, extents, strict=True)):
        if last.hyphenated or _is_broken_word(last, line):
            blocks[-1] = _join_broken(blocks[-1], line.text, known)
        elif last.tabular or line.tabular or _BULLET.match(line.text) or _had_room(last, line, left, right):
            indented = line.left - left > line.size and last.left - left < 0.5 * line.size
            if indented and not _BULLET.match(line.text) and line.y < last.y:
                blocks.append(line.text)
            else:
                blocks[-1] += f"\n{line.text}"
        else:
            joint = "" if _CJK.match(last.text[-1]) and _CJK.match(line.text[0]) else " "
            blocks[-1] += joint + line.text
    return blocks


def _extents(run: Run) -> list[tuple[float, float]]:
    """Return for each line the left and right edge of its column: a run may go on in the next one."""
    columns: list[list[Line]] = []
    for line in run.lines:
        if columns and line.y < columns[-1][-1].y + 0.5 * line.size:
            columns[-1].append(line)
        else:
            columns.append([line])
    edges = [(min(line.left for line in column), max(line.right for line in column)) for column in columns]
    return [edge for edge, column in zip(edges, columns, strict=True) for _ in column]


def _is_broken_word(last: Line, line: Line) -> bool:
    return last.text.endswith(_HYPHENS) and last.text[-2:-1].isalpha() and line.text[:1].islower()


def _join_broken(before: str, after: str, known: Counter[str]) -> str:
    """Undo hyphenation, unless the document elsewhere writes a hyphen, or both halves as words but never the whole."""
    before = before.rstrip("-\u2010")
    tail, head = re.search(r"[\w-]*$", before), re.match(r"[\w-]*", after)
    first, second = tail[0].lower() if tail else "", head[0].lower() if head else ""
    whole, compound = known[f"{first}{second}"], known[f"{first}-{second}"]
    two_words = not whole and min(len(first), len(second)) >= 4 and known[first] and known[second]
    return f"{before}{'-' if compound > whole or two_words or not after[:1].islower() else ''}{after}"


def _had_room(last: Line, line: Line, left: float, right: float) -> bool:
    """Whether the first word of `line` would have fitted at the end of `last`: then the break was meant."""
    width = (line.right - line.left) / max(1, len(line.text))
    needed = (len(line.text.split(" ", 1)[0]) + 2) * width
    room = last.left - left if _RTL.search(last.text[:20]) else right - last.right
    return room > needed and not _CJK.match(line.text[0])
