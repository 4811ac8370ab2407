"""What an index of folders costs at 10,000, 100,000 and 1,000,000 chunks: time, disk, memory, and what filters do.

    python -m benchmarks.bench_size [--home .bench/size] [--sizes 10000,100000,1000000] [--kinds auto]

Each size is built and measured in processes of its own, and kept: what is there is not done again. `--fresh` does it
all again. Prints Markdown; draws docs/images/size-latency.png and size-memory.png where `--images` names the folder.
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.size_data import FILTERS, QUESTIONS, make
from benchmarks.size_report import draw, tables
from retrieval.config import IndexSettings
from retrieval.fusion import Hits, fuse
from retrieval.index.folder import IndexFolders
from retrieval.types import Scope

CORPUS, SNAPSHOT, TOP, DEPTH = "size", "0000000000000000", 10, 100


def build(folder: Path, rows: int, kind: str) -> None:
    """Make the corpus, its index, and the exact answers."""
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.perf_counter()
    made = make(rows, folder)
    ready = time.perf_counter()
    settings = IndexSettings.model_validate({"kind": kind})
    IndexFolders(folder, settings).write(CORPUS, SNAPSHOT, made.contents)
    took = time.perf_counter() - ready
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    masks = {name: made.contents.rows.admitted(scope)[made.contents.rows.document] for name, scope in FILTERS.items()}
    best = truth(made.contents.vectors["made"], made.questions, masks)
    np.savez(folder / "questions.npz", vectors=made.questions, **{name: rows for name, (rows, _) in best.items()})
    (folder / "words.json").write_text(json.dumps(made.question_words))
    near = best["none"][1]
    said = {
        "rows": rows,
        "make_s": ready - begun,
        "build_s": took,
        "build_peak_bytes": peak,
        "admitted": {name: int(mask.sum()) for name, mask in masks.items()},
        "cosine_of_best": float(near[:, 0].mean()),
        "cosine_of_tenth": float(near[:, -1].mean()),
    }
    (folder / "vectors.npy").unlink()
    (folder / "built.json").write_text(json.dumps(said))


def truth(
    vectors: NDArray[np.float32], questions: NDArray[np.float32], masks: dict[str, NDArray[np.bool_]]
) -> dict[str, tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """By filter the best rows of every question and their scores, by comparing it with every row; -1: no more rows."""
    empty = np.full((len(questions), TOP), -1, np.int64), np.full((len(questions), TOP), -np.inf, np.float32)
    best = dict.fromkeys(masks, empty)
    for start in range(0, len(vectors), 50_000):
        block = questions @ np.asarray(vectors[start : start + 50_000]).T
        for name, mask in masks.items():
            columns = np.flatnonzero(mask[start : start + 50_000])
            scores = np.hstack([best[name][1], block if len(columns) == block.shape[1] else block[:, columns]])
            rows = np.hstack([best[name][0], np.broadcast_to(columns + start, (len(questions), len(columns)))])
            order = np.argpartition(-scores, TOP - 1, axis=1)[:, :TOP]
            scores, rows = np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)
            order = np.argsort(-scores, axis=1, kind="stable")
            best[name] = np.take_along_axis(rows, order, 1), np.take_along_axis(scores, order, 1)
    return best


def measure(folder: Path) -> None:
    """Open the index in this fresh process, its files not in memory, and ask it everything."""
    with np.load(folder / "questions.npz") as saved:
        asked = dict(saved)
    words: list[dict[str, float]] = json.loads((folder / "words.json").read_text())
    indexes = IndexFolders(folder)
    place = indexes.path(CORPUS, SNAPSHOT)
    forget(place)
    before = memory()
    begun = time.perf_counter()
    index = indexes.open(CORPUS, SNAPSHOT)
    opened = time.perf_counter() - begun
    after = memory()

    def dense(i: int, scope: Scope, k: int) -> Hits:
        return index.nearest("made", asked["vectors"][i], k, scope)

    begun = time.perf_counter()
    dense(0, FILTERS["none"], DEPTH)
    index.matching(words[0], DEPTH, FILTERS["none"])
    first = time.perf_counter() - begun

    def both(i: int, scope: Scope, k: int) -> Any:
        hits = {"dense": dense(i, scope, k), "words": index.matching(words[i], k, scope)}
        return fuse(hits, {"dense": 1.0, "words": 1.0})

    cold = timed(dense, FILTERS["none"])
    latency = {
        "dense, cold": cold,
        "dense": timed(dense, FILTERS["none"]),
        "words": timed(lambda i, scope, k: index.matching(words[i], k, scope), FILTERS["none"]),
        "both": timed(both, FILTERS["none"]),
    }
    queried = memory()
    filters = {}
    for name, scope in FILTERS.items():
        found = [dense(i, scope, TOP).rows for i in range(QUESTIONS)]
        wanted = [row[row >= 0] for row in asked[name]]
        recall = np.mean([np.isin(want, got).mean() for want, got in zip(wanted, found, strict=True)])
        filters[name] = {"recall": float(recall), "dense": timed(dense, scope), "both": timed(both, scope)}
    said = {
        "width": index.partitions[""].dense["made"].width,
        "kind": index.partitions[""].dense["made"].kind,
        "open_s": opened,
        "first_query_s": first,
        "bytes": sum(path.stat().st_size for path in place.rglob("*") if path.is_file()),
        "parts": {
            path.relative_to(place).as_posix(): path.stat().st_size for path in place.rglob("*.*") if path.is_file()
        },
        "memory": {"before": before, "opened": after, "queried": queried, "filtered": memory()},
        "latency": latency,
        "filters": filters,
    }
    (folder / "measured.json").write_text(json.dumps(said))


def timed(ask: Callable[[int, Scope, int], Any], scope: Scope) -> dict[str, float]:
    """Milliseconds of each question, asked one after the other."""
    took = []
    for number in range(QUESTIONS):
        begun = time.perf_counter()
        ask(number, scope, DEPTH)
        took.append(1000 * (time.perf_counter() - begun))
    return {"p50": float(np.percentile(took, 50)), "p95": float(np.percentile(took, 95))}


def forget(folder: Path) -> None:
    """Ask the system to drop the files from its cache, so that opening them reads the disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def memory() -> dict[str, int]:
    """Bytes of this process: resident, and those of them that no file backs."""
    said = Path("/proc/self/smaps_rollup").read_text()
    found = {name: re.search(rf"^{name}:\s+(\d+) kB", said, re.MULTILINE) for name in ("Rss", "Anonymous")}
    return {name: int(match[1]) * 1024 for name, match in found.items() if match}


def results(home: Path, sizes: list[int], kinds: list[str], *, fresh: bool) -> Iterator[dict[str, Any]]:
    """What was found out of each size, found out now where it is not known."""
    for rows in sizes:
        for kind in kinds:
            folder = home / f"{rows}-{kind}"
            if fresh:
                shutil.rmtree(folder, ignore_errors=True)
            for step, file in (("build", "built.json"), ("measure", "measured.json")):
                if not (folder / file).exists():
                    print(f"{step} {folder.name}", file=sys.stderr, flush=True)
                    own = [sys.executable, "-m", "benchmarks.bench_size", "--step", step, "--folder", str(folder)]
                    subprocess.run([*own, "--sizes", str(rows), "--kinds", kind], check=True)
            yield {
                **json.loads((folder / "built.json").read_text()),
                **json.loads((folder / "measured.json").read_text()),
            }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, default=Path(".bench/size"))
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--kinds", default="auto")
    parser.add_argument("--images", type=Path, default=None)
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--step", choices=["build", "measure"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    sizes, kinds = [int(size) for size in given.sizes.split(",")], given.kinds.split(",")
    if given.step == "build":
        build(given.folder, sizes[0], kinds[0])
    elif given.step == "measure":
        measure(given.folder)
    else:
        found = list(results(given.home, sizes, kinds, fresh=given.fresh))
        print(tables(found))
        if given.images:
            draw(found, given.images)


if __name__ == "__main__":
    main()
