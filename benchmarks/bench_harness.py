"""Overhead of the harness: 1,000 cases with a scripted, instant model, side by side with Inspect AI, in turn.

python benchmarks/bench_harness.py [--inspect-python VENV/bin/python] [--cases 1000] [--turns 5]

The other side runs in an environment of its own: python -m venv VENV; VENV/bin/pip install inspect-ai==0.3.285
What is timed: one whole run from cases to a summary on disk, as each ships it. Assay: `evaluate`, the function behind
`evals run`: every record fsynced, run.json, cases.jsonl, intervals by bootstrap; the turn is replaced by a result made
beforehand, with one passage and one citation. Inspect: `eval` with mockllm, generate() and exact(), its default log.
Loading of libraries is in neither. One case in ten is answered wrongly, and both must say so.
"""

import argparse
import asyncio
import json
import math
import subprocess
import tempfile
import time
from dataclasses import fields, replace
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

import numpy as np
from scipy.stats import t

from app.bootstrap import Services, build
from app.pipeline import ChatPipeline
from app.settings import load_settings
from app.types import ChatRequest, ChatResult, Citation, Claim, Reason, Usage
from evals.bench.corpus import ingest_rows
from evals.bench.read import DocumentRow
from evals.golden.cards import Card
from evals.golden.cases import Case
from evals.golden.sets import GoldenSet
from evals.running.evaluate import Plan, evaluate
from evals.running.evidence import SnapshotTexts
from evals.suites import Suite
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.types import Passage

SET = "harness"


class Instant(ChatPipeline):
    """The pipeline that serves, with its turn replaced by a look-up."""

    results: ClassVar[dict[str, ChatResult]] = {}

    async def run(self, request: ChatRequest) -> ChatResult:
        return self.results[request.question]


def script(count: int) -> list[dict[str, str]]:
    """Questions with their gold answers and what the model says to each; every tenth is wrong."""
    return [
        {
            "id": f"case-{i}",
            "question": f"How many requests did service {i} serve on its first day?",
            "gold": f"{1000 + i} requests",
            "says": f"{1000 + i} requests" if i % 10 else "no requests",
            "text": f"Service {i} went live in spring. It served {1000 + i} requests on its first day.",
        }
        for i in range(count)
    ]


def golden(rows: list[dict[str, str]]) -> GoldenSet:
    cases = tuple(
        Case.model_validate(
            {
                "id": row["id"], "group": row["id"], "split": "dev", "created": date(2026, 1, 1), "kind": "answerable",
                "severity": "major", "question": row["question"],
                "gold": {"action": "answer", "answers": (row["gold"],),
                         "evidence": ({"uri": row["id"], "quote": row["text"]},)},
            }
        )
        for row in rows
    )  # fmt: skip
    count = {"dev": len(cases)}
    card = Card(
        name=SET, licence="none", created=date(2026, 1, 1), sha256="0" * 64, cases=len(cases), splits=count,
        kinds={"answerable": len(cases)}, actions={"answer": len(cases)},
    )  # fmt: skip
    return GoldenSet(SET, Path(SET), cases, "0" * 64, card)


def result(row: dict[str, str], texts: SnapshotTexts) -> ChatResult:
    doc_id, text = texts.doc_ids[row["id"]], row["text"]
    passage = Passage(
        doc_id, row["id"], row["id"], texts.snapshot, 0, len(text), text, None, None, 1.0, {"bm25": 9.0, "minilm": 0.8}
    )
    citation = Citation(
        doc_id, row["id"], row["id"], texts.snapshot, 0, len(text), text, sha256(text.encode()).hexdigest(), None, None
    )
    return ChatResult(
        turn_id=row["id"], question=row["question"], answer=row["says"], abstained=False, reason=Reason.ANSWERED,
        claims=(Claim(row["says"], (citation,), 1.0),), dropped=(), passages=(passage,), corpus=f"golden-{SET}",
        snapshot=texts.snapshot, provider="scripted", usage=Usage(1, 1), timings_ms={"total": 0.01},
    )  # fmt: skip


def assay_side(services: Services, given: GoldenSet, texts: SnapshotTexts) -> tuple[float, float]:
    """Seconds of one run, and its accuracy."""
    suite = Suite(name=SET, sets=(SET,), scorers=("exact_match",))
    plan = Plan(suite, [given], [(given, case) for case in given.cases])
    began = time.perf_counter()
    run = asyncio.run(evaluate(services, plan, {SET: texts}))
    seconds = time.perf_counter() - began
    assert len(run.records) == len(given.cases) and not any(record.failures for record in run.records)
    return seconds, run.info.summary.overall["exact_match"].mean


def inspect_side(python: Path, rows: list[dict[str, str]], folder: Path) -> dict[str, float]:
    path = folder / "cases.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    command = [str(python), str(Path(__file__).with_name("inspect_side.py")), str(path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, cwd=folder)
    return json.loads(done.stdout.splitlines()[-1])


def stated(values: list[float], digits: int) -> str:
    """The geometric mean with its 95 % t interval over turns, on the logarithms: what is compared is a ratio."""
    logs = np.log(values)
    half = t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / math.sqrt(len(logs)) if len(logs) > 1 else math.nan
    low, mid, high = (f"{math.exp(logs.mean() + shift):,.{digits}f}" for shift in (-half, 0, half))
    return f"{mid} [{low}, {high}], {len(values)} turns"


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--inspect-python", type=Path)
    arguments.add_argument("--cases", type=int, default=1000)
    arguments.add_argument("--turns", type=int, default=5)
    given = arguments.parse_args()
    rows = script(given.cases)
    ours, theirs, version = [], [], ""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        services = build(load_settings(home=folder / "home"), embedder=HashingEmbedder())
        documents = [DocumentRow(id=row["id"], text=row["text"]) for row in rows]
        report = ingest_rows(services, documents, f"golden-{SET}")
        texts = SnapshotTexts(services.corpora, services.reader, f"golden-{SET}", report.snapshot)
        Instant.results = {row["question"]: result(row, texts) for row in rows}
        instant = Instant(**{field.name: getattr(services.pipeline, field.name) for field in fields(ChatPipeline)})
        services = replace(services, pipeline=instant)
        cases = golden(rows)
        assay_side(services, replace(cases, cases=cases.cases[:20]), texts)
        for turn in range(given.turns):
            seconds, accuracy = assay_side(services, cases, texts)
            ours.append(len(rows) / seconds)
            line = f"turn {turn + 1}: assay {ours[-1]:,.0f} cases/s (accuracy {accuracy:.3f})"
            if given.inspect_python:
                other = inspect_side(given.inspect_python, rows, folder)
                theirs.append(other["cases"] / other["seconds"])
                version = f"inspect-ai {other['version']}"
                line += f", {version} {theirs[-1]:,.0f} cases/s (accuracy {other['accuracy']:.3f})"
                assert other["cases"] == len(rows) and math.isclose(other["accuracy"], accuracy)
            print(line, flush=True)
        services.close()
    print(f"assay cases/s: {stated(ours, 0)}; {1000 * np.mean([1 / rate for rate in ours]):.2f} ms a case")
    if not theirs:
        print("Inspect AI was not run: give --inspect-python (see the head of this file).")
        return
    print(f"{version} cases/s: {stated(theirs, 0)}; {1000 * np.mean([1 / rate for rate in theirs]):.2f} ms a case")
    print(f"assay / inspect: {stated([a / b for a, b in zip(ours, theirs, strict=True)], 2)}")


if __name__ == "__main__":
    main()
