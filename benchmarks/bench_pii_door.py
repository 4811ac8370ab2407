"""What the patterns at the door find of a labelled set, kind by kind, and how long they take.

    python benchmarks/bench_pii_door.py [SET]

SET is a JSON Lines file (.gz) of {text, spans: [{start, end, type}]}; by default presidio_synth_v2 of the bench data. A
find counts where it overlaps a labelled span of its kind; one that overlaps none of any kind is a false alarm.
"""

import gzip
import json
import sys
import time
from collections import Counter
from pathlib import Path

from bench import bench_root

from guardrails.checks.pii import PiiPatterns

KINDS = {
    "CREDIT_CARD": "CREDIT_CARD",
    "PHONE_NUMBER": "PHONE",
    "EMAIL_ADDRESS": "EMAIL",
    "IBAN_CODE": "IBAN",
    "US_SSN": "US_SSN",
    "IP_ADDRESS": "IP_ADDRESS",
}


def overlap(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[0] < b[1] and b[0] < a[1]


def main(path: Path) -> None:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    patterns = PiiPatterns()
    patterns.find("warm up 1")
    labelled, found, right, reported, chars, seconds = Counter(), Counter(), Counter(), Counter(), 0, 0.0
    for row in rows:
        began = time.perf_counter()
        findings = patterns.find(row["text"])
        seconds += time.perf_counter() - began
        chars += len(row["text"])
        spans = [((s["start"], s["end"]), KINDS.get(s["type"], "")) for s in row["spans"]]
        for place, kind in spans:
            if kind:
                labelled[kind] += 1
                found[kind] += any(overlap(place, (f.start, f.end)) for f in findings)
        for f in findings:
            reported[f.kind] += 1
            right[f.kind] += any(overlap(place, (f.start, f.end)) and kind == f.kind for place, kind in spans)
    print(f"{path.name}: {len(rows)} texts, {chars:,} characters, {1000 * seconds / (chars / 1000):.2f} ms per 1,000\n")
    print("| kind | labelled | found | reported | right |\n|---|---|---|---|---|")
    for kind in sorted({*labelled, *reported}):
        recall = f"{found[kind] / labelled[kind]:.3f}" if labelled[kind] else "–"
        precision = f"{right[kind] / reported[kind]:.3f}" if reported[kind] else "–"
        print(f"| {kind} | {labelled[kind]} | {recall} | {reported[kind]} | {precision} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else bench_root() / "pii" / "presidio_synth_v2.jsonl.gz")
