"""A file of questions: each line answered or a problem, and a killed run goes on where it was."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.batch import Batch, Summary, run_batch
from app.bootstrap import Services
from app.errors import BatchRefused
from app.joining.serving import serving
from app.llm.scripted import ScriptedProvider
from app.settings import load_settings
from retrieval.files import list_files
from retrieval.types import Access, Scope
from tests.conftest import Build

TRUE = "A canary release sends 1 percent of the traffic to the new version for one hour."
QUESTION = "How much traffic does a canary release get?"


def written(path: Path, *rows: object) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), "utf-8")
    return path


def read(path: Path) -> dict[str, Any]:
    return {row["id"]: row for row in map(json.loads, path.read_text("utf-8").splitlines())}


def batch_of(tmp_path: Path, *rows: object, **changes: object) -> Batch:
    questions = written(tmp_path / "q.jsonl", *rows)
    made = Batch(questions, tmp_path / "a.jsonl", "default", load_settings(home=tmp_path).chat)
    return replace(made, **changes)


async def run(services: Services, batch: Batch) -> Summary:
    return await run_batch(serving(services).answers, batch, lambda *_: None)


@pytest.fixture
def scripted(build_services: Build, corpus: Services) -> Services:
    return build_services(ScriptedProvider(itertools.repeat(TRUE)))


async def test_every_line_has_an_answer_or_a_problem(scripted: Services, tmp_path: Path) -> None:
    batch = batch_of(
        tmp_path,
        {"id": "a", "question": QUESTION},
        {"question": "How long is a canary?", "history": [{"role": "user", "content": QUESTION}]},
        "",
        "{broken",
        {"id": "b", "question": " "},
        {"id": "c", "question": QUESTION, "corpus": "nothing"},
        {"id": "d", "question": "x" * 4_001},
    )
    summary = await run(scripted, batch)
    found = read(batch.out)
    assert set(found) == {"a", "line 2", "line 4", "line 5", "c", "d"}
    assert found["a"]["result"]["answer"] == TRUE
    assert found["line 4"]["problem"]["kind"] == "InvalidRequest"
    assert found["c"]["problem"]["kind"] == "CorpusNotFound"
    assert (summary.questions, summary.answered, summary.failed, summary.skipped) == (6, 2, 4, 0)


async def test_a_second_run_asks_only_what_is_new_or_failed(scripted: Services, tmp_path: Path) -> None:
    rows: list[object] = [{"id": str(n), "question": f"{QUESTION} {n}"} for n in range(5)]
    failing = {"id": "later", "question": QUESTION, "corpus": "later"}
    batch = batch_of(tmp_path, *rows, failing)
    await run(scripted, batch)
    before = {name: row for name, row in read(batch.out).items() if "result" in row}
    scripted.ingestor.ingest(list_files([tmp_path / "documents"]), "later")
    written(batch.questions, *rows, failing, {"id": "new", "question": QUESTION})
    summary = await run(scripted, batch)
    after = read(batch.out)
    assert (summary.answered, summary.failed, summary.skipped) == (2, 0, 5)
    assert {name: after[name] for name in before} == before
    assert len(batch.out.read_text().splitlines()) == 7


@pytest.mark.parametrize("cut", [1, 20, 200])
async def test_half_a_line_is_taken_back(scripted: Services, tmp_path: Path, cut: int) -> None:
    batch = batch_of(tmp_path, *({"id": str(n), "question": f"{QUESTION} {n}"} for n in range(3)), parallel=1)
    await run(scripted, batch)
    batch.out.write_bytes(batch.out.read_bytes()[:-cut])
    summary = await run(scripted, batch)
    assert (summary.answered, summary.skipped) == (1, 2)
    assert set(read(batch.out)) == {"0", "1", "2"}


async def test_misuse_is_one_clear_error(scripted: Services, tmp_path: Path) -> None:
    twice = batch_of(tmp_path, {"id": "a", "question": "?1"}, {"id": "a", "question": "?2"})
    with pytest.raises(BatchRefused, match="'a'"):
        await run(scripted, twice)
    with pytest.raises(BatchRefused, match="cannot be read"):
        await run(scripted, replace(twice, questions=tmp_path / "nothing"))
    batch = batch_of(tmp_path, {"id": "a", "question": QUESTION})
    await run(scripted, batch)
    with pytest.raises(BatchRefused, match="another question"):
        await run(scripted, batch_of(tmp_path, {"id": "a", "question": "Something else?"}))
    foreign = written(tmp_path / "other.txt", "my notes")
    with pytest.raises(BatchRefused, match="not an answer"):
        await run(scripted, replace(batch, out=foreign))
    assert foreign.read_text() == "my notes\n"


async def test_two_runs_do_not_write_one_file(scripted: Services, tmp_path: Path) -> None:
    from app.batch import _output

    batch = batch_of(tmp_path, {"id": "a", "question": QUESTION})
    with _output(batch.out), pytest.raises(BatchRefused, match="Another run"):
        await run(scripted, batch)


async def test_it_is_asked_as_a_tenant(scripted: Services, tmp_path: Path) -> None:
    batch = batch_of(tmp_path, {"id": "a", "question": QUESTION}, scope=Scope(Access("acme")))
    assert (await run(scripted, batch)).abstained == 1


DRIVER = """
import asyncio, itertools, sys
from pathlib import Path
from app.bootstrap import build
from app.batch import Batch, run_batch
from app.joining.serving import serving
from app.llm.scripted import ScriptedProvider
from app.settings import load_settings
from retrieval.embedders.hashing import HashingEmbedder

home, questions, out = map(Path, sys.argv[1:])
provider = ScriptedProvider(itertools.repeat(%r), delay_s=0.002)
services = build(load_settings(home=home), embedder=HashingEmbedder(), provider=provider)
batch = Batch(questions, out, "default", services.settings.chat)
print(asyncio.run(run_batch(serving(services).answers, batch, lambda *_: None)).skipped)
services.close()
"""


def test_a_run_that_is_killed_goes_on_where_it_was(corpus: Services, tmp_path: Path) -> None:
    count = 60
    questions = written(tmp_path / "q.jsonl", *({"id": str(n), "question": f"{QUESTION} {n}"} for n in range(count)))
    out = tmp_path / "a.jsonl"
    command = [sys.executable, "-c", DRIVER % TRUE, str(corpus.settings.home), str(questions), str(out)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    killed = 0
    for wanted in (10, 30):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if out.exists() and out.read_bytes().count(b"\n") >= wanted:
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.002)
        killed += process.wait() == -signal.SIGKILL
    assert killed == 2
    answered = out.read_bytes().count(b"\n")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert int(done.stdout) == answered >= 30
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert sorted(int(row["id"]) for row in rows) == list(range(count))
    assert all(row["result"]["answer"] == TRUE for row in rows)
