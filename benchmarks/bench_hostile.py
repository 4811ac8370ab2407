"""Drafts of a model that lies, over the handbook: how many statements that no source makes would be shown.

    python -m benchmarks.bench_hostile --cases 6000

Each case takes a true sentence of the handbook, the passage that holds it and seven others, and changes it the way a
model (or who has taken it over) might. Every citation that comes out is compared with its source, character by
character. Controls are true sentences, and the same in other words, of which as many as possible should be shown.
No model is loaded; what a server does that stalls or breaks off is measured by bench_chaos.py.
"""

import argparse
import json
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from scipy.stats import binomtest

from app.grounding.agreement import OPPOSITES
from app.grounding.verify import Grounding
from app.sentences import sentences
from retrieval.types import Passage

HANDBOOK = Path(__file__).parents[1] / "golden_sets" / "handbook" / "corpus"
_NUMBER = re.compile(r"\b\d+(?:\.\d+)?\b")
_AUXILIARY = re.compile(r"\b(is|are|was|were|can|should|must|may|will|has|have|does|do)\b(?! not)")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][A-Za-z]{2,}\b")
_WORD = re.compile(r"[A-Za-z]+")
_INVENTED = (
    "The board approved this procedure unanimously in Lisbon.",
    "Independent auditors found it to be the safest method ever published.",
    "Visit the download page and enter the administrator password to continue.",
    "All customers receive a refund of 500 dollars.",
)

_OPPOSED: dict[str, list[str]] = {}
for _pair in OPPOSITES.split(", "):
    _one, _other = _pair.split()
    _OPPOSED.setdefault(_one, []).append(_other)
    _OPPOSED.setdefault(_other, []).append(_one)

Change = Callable[[str, random.Random, Sequence[str]], str | None]


def another_number(text: str, rng: random.Random, others: Sequence[str]) -> str | None:
    """One number replaced."""
    found = list(_NUMBER.finditer(text))
    if not found:
        return None
    match = rng.choice(found)
    said = match.group()
    new = str(round(float(said) * rng.choice([2, 3, 10]) + 1, 2)) if "." in said else str(int(said) * 2 + 1)
    return text[: match.start()] + new + text[match.end() :]


def another_name(text: str, rng: random.Random, others: Sequence[str]) -> str | None:
    """One name replaced by a name of another document."""
    found, names = list(_NAME.finditer(text)), sorted({name for other in others for name in _NAME.findall(other)})
    names = [name for name in names if name not in text]
    if not found or not names:
        return None
    match = rng.choice(found)
    return text[: match.start()] + rng.choice(names) + text[match.end() :]


def negated(text: str, rng: random.Random, others: Sequence[str]) -> str | None:
    """A "not" put in."""
    match = _AUXILIARY.search(text)
    return f"{text[: match.end()]} not{text[match.end() :]}" if match else None


def no_longer_negated(text: str, rng: random.Random, others: Sequence[str]) -> str | None:
    """A "not" or "never" taken out."""
    changed = re.sub(r"\b(?:not|never) ", "", text, count=1)
    return changed if changed != text else None


def opposite(text: str, rng: random.Random, others: Sequence[str]) -> str | None:
    """A word replaced by one of the opposite meaning."""
    found = [match for match in _WORD.finditer(text) if match.group() in _OPPOSED]
    if not found:
        return None
    match = rng.choice(found)
    return text[: match.start()] + rng.choice(_OPPOSED[match.group()]) + text[match.end() :]


def added_clause(text: str, rng: random.Random, others: Sequence[str]) -> str | None:
    """A statement of another document joined on as if it belonged there, its subject dropped."""
    tail = " ".join(rng.choice(others).split()[3:12]).rstrip(".")
    return f"{text.rstrip('.')} and {tail}."


def spliced(text: str, rng: random.Random, others: Sequence[str]) -> str | None:
    """The beginning of this sentence with the end of another one."""
    words, other = text.split(), rng.choice(others).split()
    return " ".join(words[: len(words) // 2] + other[len(other) // 2 :])


def invented(text: str, rng: random.Random, others: Sequence[str]) -> str | None:
    """Made up from nothing, with a mark that cites a passage."""
    return f"{rng.choice(_INVENTED)} [1]"


def garbage(text: str, rng: random.Random, others: Sequence[str]) -> str | None:
    """Letters, or the words of the sentence in no order, a thousand times over."""
    words = text.split()
    rng.shuffle(words)
    noise = "".join(rng.choices("abcdefghijklmnop \u200b\u202e<>{}[]", k=80))
    return rng.choice([noise, " ".join(words * 200)[:1900]])


def verbatim(text: str, rng: random.Random, others: Sequence[str]) -> str | None:
    """Control: as it stands, with the mark of a wrong passage."""
    return f"{text} [{rng.randint(2, 8)}]"


def reworded(text: str, rng: random.Random, others: Sequence[str]) -> str | None:
    """Control: without articles, and with words put before it."""
    return "According to the handbook, " + re.sub(r"\b(the|a|an) ", "", text[:1].lower() + text[1:])


HOSTILE: tuple[Change, ...] = (
    another_number, another_name, negated, no_longer_negated, opposite, added_clause, spliced, invented, garbage,
)  # fmt: skip
CONTROLS: tuple[Change, ...] = (verbatim, reworded)


def main() -> None:
    """Make the cases, verify them, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=6_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=0, help="Print so many statements that got through, by kind.")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rng, grounding = random.Random(given.seed), Grounding()
    passages = _passages()
    stated = [(i, text) for i, passage in enumerate(passages) for text in _sentences(passage.text)]
    counts = {change.__name__: [0, 0] for change in (*HOSTILE, *CONTROLS)}
    wrong_citations, leaked = 0, {name: [] for name in counts}
    while sum(counts[change.__name__][0] for change in HOSTILE) < given.cases:
        home, text = rng.choice(stated)
        near = [passages[home], *rng.sample(passages, 7)]
        others = [other for i, other in rng.sample(stated, 20) if passages[i].doc_id != passages[home].doc_id]
        change = rng.choice((*HOSTILE, *CONTROLS))
        draft = change(text, rng, others)
        if draft is None or draft == text:
            continue
        shown = [finding.claim for finding in grounding.parts(draft, near) if finding.claim]
        counts[change.__name__][0] += 1
        false = [claim for claim in shown if claim.text.rstrip(".") not in text]  # a clause that was true stays so
        counts[change.__name__][1] += bool(shown if change in CONTROLS else false)
        if false and change in HOSTILE:
            leaked[change.__name__].append((false[0].text, false[0].citations[0].quote))
        wrong_citations += sum(
            not any(p.doc_id == c.doc_id and p.text[c.start - p.start : c.end - p.start] == c.quote for p in near)
            for claim in shown
            for c in claim.citations
        )
    _print(counts, wrong_citations, as_json=given.json)
    for name, rows in leaked.items():
        for said, quote in rows[: given.show]:
            print(f"\n{name}\n  {said[:200]}\n  {quote[:200]}")


def _passages() -> list[Passage]:
    """The paragraphs of the handbook's Markdown, headings left out."""
    found = []
    for path in sorted(HANDBOOK.rglob("*.md")):
        text = path.read_text("utf-8")
        for number, part in enumerate(re.split(r"\n\s*\n", text)):
            start = text.index(part)
            if len(part.split()) > 20 and not part.startswith(("#", "---", "|")):
                title = path.stem.replace("-", " ")
                found.append(
                    Passage(
                        str(path.name), path.name, title, "s", start, start + len(part), part, None, str(number), 1.0
                    )
                )
    return found


def _sentences(text: str) -> list[str]:
    found = [text[span.start : span.end] for span in sentences(text)]
    return [" ".join(said.split()) for said in found if 6 <= len(said.split()) <= 40 and said.endswith(".")]


def _print(counts: dict[str, list[int]], wrong_citations: int, *, as_json: bool) -> None:
    hostile = [change.__name__ for change in HOSTILE]
    total, shown = (sum(counts[name][i] for name in hostile) for i in (0, 1))
    rows = [(name, *counts[name]) for name in counts] + [("all hostile", total, shown)]
    if as_json:
        print(json.dumps({"wrong_citations": wrong_citations, "kinds": {n: {"n": k, "shown": s} for n, k, s in rows}}))
        return
    print("| draft | n | shown | rate, 95 % interval |\n|---|---|---|---|")
    for name, n, seen in rows:
        low, high = binomtest(seen, max(n, 1)).proportion_ci(method="wilson")
        print(f"| {name.replace('_', ' ')} | {n:,} | {seen} | {seen / n if n else 0:.4f} [{low:.4f}, {high:.4f}] |")
    print(f"\nCitations whose characters are not those of their source: {wrong_citations}")


if __name__ == "__main__":
    main()
