"""The handbook as it is shipped: rendered files up to date, cases well formed, evidence in place."""

import subprocess
import sys
from pathlib import Path

from evals.corpus import ready_corpus
from evals.golden import load_golden_set, problems
from tests.conftest import Build

ROOT = Path(__file__).resolve().parents[2]
SETS = ROOT / "golden_sets"


def test_rendered_documents_are_up_to_date() -> None:
    script = ROOT / "scripts" / "render_handbook.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_handbook_is_large_and_varied_enough() -> None:
    corpus = SETS / "handbook" / "corpus"
    files = [path for path in corpus.rglob("*") if path.is_file()]
    words = sum(len(path.read_text("utf-8").split()) for path in files if path.suffix == ".md")
    assert len(files) >= 48
    assert words >= 20_000
    assert {path.suffix for path in files} == {".md", ".pdf", ".docx", ".html"}


def test_the_cases_are_valid_against_the_documents(build_services: Build) -> None:
    golden = load_golden_set(SETS, "handbook")
    texts = ready_corpus(build_services(), [golden.corpus], "handbook", None)
    assert problems(golden, texts) == []
    kinds = [case.kind for case in golden.cases]
    assert len(kinds) >= 60
    assert {"answerable", "unanswerable", "multi_turn"} <= set(kinds)
    assert sum(len({quote.uri for quote in case.gold.evidence}) > 1 for case in golden.cases) >= 10
