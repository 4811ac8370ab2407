"""The bench kind `answerability`: tasks are read, thresholds are fitted on other questions than they report on."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from app.types import Action
from evals.bench.answerability import Said, answerability, confusion, fixed, risk_and_coverage, scored
from evals.bench.results import BenchRequest
from evals.bench.tasks import Task, read_tasks
from evals.errors import BenchError
from tests.conftest import Build
from tests.evals.bench.sets import write_bench


def write_tasks(root: Path, *rows: dict) -> Path:  # type: ignore[type-arg]
    write_bench(root / "retrieval" / "mtrag_ops")
    (root / "conversations").mkdir()
    path = root / "conversations" / "tasks.jsonl.gz"
    base = {"conversation": "1", "domain": "ops", "history": [], "relevant_passages": [], "context_passages": ["drift"]}
    path.write_bytes(gzip.compress("".join(json.dumps({**base, **row}) + "\n" for row in rows).encode()))
    return path


ROWS = (
    {"id": "a", "question": "How much traffic?", "answerability": "ANSWERABLE", "relevant_passages": ["canary"]},
    {"id": "b", "question": "Who won the cup?", "answerability": "UNANSWERABLE",
     "history": [{"role": "user", "text": "Hello"}, {"role": "agent", "text": "Hi"}]},
    {"id": "c", "question": "Thanks!", "answerability": "CONVERSATIONAL"},
    {"id": "d", "question": "Which index, and who made it?", "answerability": "PARTIAL"},
)  # fmt: skip


def test_tasks_of_a_file_name_their_corpus_and_passages(tmp_path: Path) -> None:
    found = read_tasks(write_tasks(tmp_path, *ROWS))
    assert [(task.id, task.label) for task in found.tasks] == [
        ("a", "answerable"), ("b", "unanswerable"), ("d", "partial"),
    ]  # fmt: skip
    assert [task.given[0].id for task in found.tasks] == ["canary", "drift", "drift"]
    assert [message.role for message in found.tasks[1].request.history] == ["user", "assistant"]
    assert list(found.corpora) == ["bench-mtrag-ops"]
    assert len({task.fitted for task in found.tasks}) == 1, "turns of one conversation stay together"


def test_an_unknown_passage_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="nowhere"):
        read_tasks(write_tasks(tmp_path, {**ROWS[0], "relevant_passages": ["nowhere"]}))


async def test_a_tiny_set_end_to_end(build_services: Build, tmp_path: Path) -> None:
    request = BenchRequest(write_tasks(tmp_path, *ROWS), everything=True)
    result = await answerability(build_services(), request)
    assert result.n == 3 and result.about["unanswerable"] == 1
    assert {"auc_gold", "auc_end_to_end", "risk_gold", "coverage_gold", "risk_shipped_threshold"} <= set(result.metrics)
    assert set(result.baselines) == {"cosine_threshold", "lexical_overlap", "always_answer", "always_abstain"}
    assert "partial: " in result.about["actions_gold"]


def task(label: str) -> Task:
    return Task("t", "g", None, label, ())  # type: ignore[arg-type]


def test_risk_on_unseen_questions_is_that_of_the_target() -> None:
    rng = np.random.default_rng(3)
    sure = rng.random(600)
    can = rng.random(600) < sure**0.3
    risk, coverage = risk_and_coverage(sure, can, 0.1, 0)
    assert risk.value is not None and risk.low is not None and risk.high is not None
    assert 0.03 < risk.value < 0.13 and risk.low <= risk.value <= risk.high
    assert coverage.value is not None and 0.2 < coverage.value < 0.9
    never, nothing = risk_and_coverage(rng.random(30), np.zeros(30, dtype=bool), 0.1, 0)
    assert never.value is None and nothing.value == 0.0


def test_partial_questions_count_in_the_confusion_only() -> None:
    tasks = [task("answerable")] * 3 + [task("unanswerable")] * 3 + [task("partial")]
    said = [Said(p, p, p, Action.ANSWER if p > 0.5 else Action.ABSTAIN) for p in (0.9, 0.8, 0.7, 0.3, 0.2, 0.1, 0.6)]
    found = scored(tasks, {"gold": said}, lambda one: one.probability, 0.05, 0)
    assert found["auc_gold"].value == 1.0 and found["auc_gold"].n == 6
    assert confusion(tasks, said) == "answerable: answer 3; unanswerable: abstain 3; partial: answer 1"
    assert fixed(tasks, ["gold"], True, 0)["risk_gold"].value == 0.5
    assert fixed(tasks, ["gold"], False, 0)["coverage_gold"].value == 0.0
