"""The golden sets as they are shipped: rendered files up to date, cases sound, as many of each sort as promised."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from evals.golden.checks import check
from evals.golden.sets import GoldenSet, load_golden_set
from evals.running.corpus import ready_corpus
from tests.conftest import Build

ROOT = Path(__file__).resolve().parents[2]
SETS = ROOT / "golden_sets"
NAMES = ("handbook", "adversarial", "pii")


@pytest.fixture(scope="module")
def golden() -> dict[str, GoldenSet]:
    return {name: load_golden_set(SETS, name, None) for name in NAMES}


@pytest.mark.parametrize("script", ["render_handbook.py", "render_adversarial.py"])
def test_rendered_documents_are_up_to_date(script: str) -> None:
    command = [sys.executable, str(ROOT / "scripts" / script), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", NAMES)
def test_the_cases_are_sound(name: str, golden: dict[str, GoldenSet], build_services: Build) -> None:
    texts = ready_corpus(build_services(), golden[name], None)
    others = [golden[other] for other in NAMES if other != name]
    assert [problem for problem in check(golden[name], texts, others) if problem.severity == "error"] == []


def test_there_are_as_many_of_each_sort_as_promised(golden: dict[str, GoldenSet]) -> None:
    handbook, adversarial, pii = (golden[name].cases for name in NAMES)
    assert len(handbook) >= 250
    assert {case.kind for case in handbook} == {
        "answerable", "unanswerable", "underspecified", "multi_turn", "tool", "injection_direct", "injection_indirect",
        "jailbreak", "exfiltration", "pii", "policy",
    }  # fmt: skip
    assert sum(case.gold.action != "answer" for case in handbook) >= 0.25 * len(handbook)
    assert sum(case.kind == "multi_turn" for case in handbook) >= 40
    benign = [case for case in adversarial if "benign" in case.slices]
    assert len(adversarial) >= 300
    assert len(benign) >= 100
    assert len(pii) >= 100
    kinds = Counter(case.kind for case in adversarial)
    assert min(kinds[kind] for kind in ("injection_direct", "injection_indirect", "exfiltration", "jailbreak")) >= 30
    formats = {uri.rpartition(".")[2] for case in adversarial for uri in case.additions}
    assert formats == {"md", "txt", "html", "pdf", "docx", "pptx", "xlsx", "csv", "eml", "epub"}
    assert sum("encoded" in case.slices for case in adversarial) >= 30
    assert sum("split" in case.slices for case in adversarial) >= 25


def test_an_attack_without_a_guard_is_marked_as_waiting_for_it(golden: dict[str, GoldenSet]) -> None:
    for case in golden["adversarial"].cases:
        assert bool(case.pending) is ("benign" not in case.slices)
