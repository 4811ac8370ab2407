"""A tiny golden set with its documents, and builders of the values that scorers read."""

import json
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from app.types import ChatResult, Citation, Claim, Reason, Usage
from evals.golden.cases import Case
from evals.types import Evidence, GoldSpan
from retrieval.types import Passage

TEXT = "A canary sends 1 percent of the traffic. Hold it for one hour. If errors double, roll back within 5 minutes."
DOCUMENTS = {
    "canary.md": f"# Canary releases\n\n{TEXT}\n",
    "drift.md": "# Drift\n\nDrift is watched with a stability index. An index above 0.25 opens an investigation.\n",
}


def case_json(name: str, **changes: Any) -> dict[str, Any]:
    """A case about canary.md, as its line holds it."""
    gold = {"action": "answer", "answers": ["5 minutes"], "evidence": [{"uri": "canary.md", "quote": QUOTE}]}
    base = {"id": name, "group": "canary.md", "split": "dev", "created": "2026-11-23", "slices": ["md"],
            "kind": "answerable", "severity": "major", "question": f"How fast do we roll back ({name})?"}  # fmt: skip
    return {**base, "gold": gold, **changes}


QUOTE = "If errors double, roll back within 5 minutes."
ABSTAIN = {"kind": "unanswerable", "group": "x", "gold": {"action": "abstain"}}


def write_set(
    root: Path, cases: list[dict[str, Any]], name: str = "tiny", stated: dict[str, Any] | None = None
) -> Path:
    """Write a golden set with its documents and card."""
    folder = root / name
    for uri, text in DOCUMENTS.items():
        path = folder / "corpus" / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    (folder / "cases.jsonl").write_text(lines, encoding="utf-8")
    card = {
        "name": name,
        "licence": "Apache-2.0",
        "created": "2026-11-23",
        "sha256": sha256(lines.encode()).hexdigest(),
        "cases": len(cases),
        "splits": dict(Counter(case["split"] for case in cases)),
        "kinds": dict(Counter(case["kind"] for case in cases)),
        "actions": dict(Counter(case["gold"]["action"] for case in cases)),
        "pending": dict(Counter(case["pending"] for case in cases if case.get("pending"))),
        **(stated or {}),
    }
    front = "".join(f"{key}: {json.dumps(value)}\n" for key, value in card.items())
    (folder / "card.md").write_text(f"---\n{front}---\nProse.\n", encoding="utf-8")
    return folder


def write_suite(path: Path, **changes: Any) -> Path:
    """Write a suite over the tiny set."""
    stated = {"sets": ["tiny"], "scorers": ["answer_match", "abstention"], "slices": ["md"]}
    path.write_text(json.dumps({**stated, **changes}), encoding="utf-8")  # JSON is YAML
    return path


def make_case(**changes: Any) -> Case:
    return Case.model_validate_json(json.dumps(case_json("c", **changes)))


def citation(start: int, end: int, text: str = TEXT, doc_id: str = "d") -> Citation:
    quote = text[start:end]
    digest = sha256(quote.encode()).hexdigest()
    return Citation(doc_id, "canary.md", "Canary", "s", start, end, quote, digest, None, None)


def passage(start: int, end: int, text: str = TEXT, doc_id: str = "d") -> Passage:
    return Passage(doc_id, "canary.md", "Canary", "s", start, end, text[start:end], None, None, 1.0, {"bm25": 1.0})


def make_result(
    answer: str = "", *, cited: tuple[Citation, ...] = (), passages: tuple[Passage, ...] = ()
) -> ChatResult:
    claims = tuple(Claim(c.quote, (c,), 1.0) for c in cited)
    return ChatResult(
        turn_id="t", question="q", answer=answer or "I don't know.", abstained=not answer,
        reason=Reason.ANSWERED if answer else Reason.NOT_COVERED, claims=claims, dropped=(), passages=passages,
        corpus="tiny", snapshot="s", provider="scripted", usage=Usage(), timings_ms={"total": 10.0},
    )  # fmt: skip


def evidence(*spans: tuple[int, int], text: str = TEXT) -> Evidence:
    return Evidence(tuple(GoldSpan("d", "canary.md", a, b) for a, b in spans), {"d": text}.get)


@pytest.fixture
def golden_root(tmp_path: Path) -> Path:
    """A folder with the golden set `tiny`: an answerable case and one that is not."""
    root = tmp_path / "sets"
    write_set(root, [case_json("a-1"), case_json("a-2", **ABSTAIN)])
    return root
