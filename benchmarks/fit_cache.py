"""How alike two questions must be for one answer: fits the threshold of the semantic cache, with a bound on its error.

    python benchmarks/fit_cache.py [--target 0.01] [--out app/caching/learned.json]

The error is the share of questions without an equal one in the cache that would get another question's answer. It is
measured over every question of the tuning halves of xquad_en (five questions a paragraph: near misses), clapnq and the
rewrites of both mtrag sets: each is looked up among all others of its set. Another question's answer is right only
where both have an answer string in common, or are the same words. The threshold is the lowest whose Clopper-Pearson
bound (95 %, one-sided) is at most the target. The other halves report: bench_cache.py.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from bench import is_tuning, retrieval_set, words
from scipy.stats import beta

from app.caching.agreement import agree
from app.caching.learned import Learned
from app.settings import set_offline_variables
from retrieval.embedders.minilm import MiniLM
from retrieval.embedders.port import Embedder

CONFIDENCE = 0.95
GRID = [round(0.85 + 0.01 * step, 2) for step in range(15)]
SETS = ("xquad_en", "clapnq", "mtrag_clapnq", "mtrag_cloud")


@dataclass(frozen=True)
class Asked:
    text: str
    answers: frozenset[str] = frozenset()

    def same(self, other: "Asked") -> bool:
        return bool(self.answers & other.answers) or words(self.text) == words(other.text)


def questions(tuning: bool, sets: Sequence[str] = SETS) -> Iterator[tuple[str, list[Asked]]]:
    for name in sets:
        bench = retrieval_set(name)
        rows = [row for row in bench.queries if is_tuning(bench, row) == tuning]
        yield (
            name,
            [
                Asked(
                    row.get("rewrite") or row["text"], frozenset(words(answer) for answer in row.get("answers") or ())
                )
                for row in rows
            ],
        )


def nearest(asked: Sequence[Asked], embedder: Embedder, guarded: bool) -> list[float]:
    """For each question the cosine of the most alike one that would be a wrong hit, -1 where there is none."""
    vectors = embedder.embed_passages([one.text for one in asked])
    cosines = vectors @ vectors.T
    worst = []
    for at, one in enumerate(asked):
        best = -1.0
        for other in np.argsort(-cosines[at]):
            if cosines[at, other] < GRID[0]:
                break
            if other != at and not one.same(asked[other]) and (not guarded or agree(one.text, asked[other].text)):
                best = float(cosines[at, other])
                break
        worst.append(best)
    return worst


def upper(wrong: int, count: int) -> float:
    """One-sided Clopper-Pearson bound."""
    return float(beta.ppf(CONFIDENCE, wrong + 1, count - wrong)) if wrong < count else 1.0


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--target", type=float, default=0.01)
    arguments.add_argument("--out", type=Path)
    given = arguments.parse_args()
    set_offline_variables()
    embedder = MiniLM()
    sets = dict(questions(tuning=True))
    worst = {guard: [c for asked in sets.values() for c in nearest(asked, embedder, guard)] for guard in (False, True)}
    count = len(worst[True])
    print(f"{count} questions of {', '.join(f'{name} {len(asked)}' for name, asked in sets.items())}\n")
    print("| cosine from | wrong by cosine alone | bound | wrong with the guard | bound |\n|---|---|---|---|---|")
    rows = [(t, *(sum(c >= t for c in worst[guard]) for guard in (False, True))) for t in GRID]
    for threshold, alone, guarded in rows:
        print(f"| {threshold:.2f} | {alone} | {upper(alone, count):.4f} | {guarded} | {upper(guarded, count):.4f} |")
    fits = next(((t, wrong) for t, _, wrong in rows if upper(wrong, count) <= given.target), None)
    if fits is None:
        raise SystemExit("No threshold keeps the bound: nothing is written, and the cache stays exact.")
    learned = Learned(
        embedder.fingerprint, fits[0], given.target, CONFIDENCE, count, fits[1],
        round(upper(fits[1], count), 5), "tuning halves of " + ", ".join(sets),
    )  # fmt: skip
    print(f"\nthreshold {learned.threshold}: {learned.wrong} of {learned.novel}, bound {learned.upper_bound}")
    if given.out:
        given.out.write_text(json.dumps([asdict(learned)], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
