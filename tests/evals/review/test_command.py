"""`evals review`: which run is opened, which is refused, and what reviewers agree on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from evals import cli
from evals.errors import EvalsError, LockedError, RunDamaged
from evals.review.audit import act
from evals.review.edits import record
from evals.review.misses import rank
from evals.review.runs import open_baseline, open_run
from evals.running.records import load_run
from evals.scorers import SCORERS
from tests.evals.review.conftest import Sit, World


def edit_run(world: World, name: str, **changes: object) -> None:
    path = world.services.settings.home / "runs" / name / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **changes}), "utf-8")


def test_the_newest_finished_run_of_the_candidate_is_the_latest(world: World) -> None:
    home = world.services.settings.home
    assert open_run(home, "latest").folder.name == "candidate"
    edit_run(world, "candidate", finished=None)
    assert open_run(home, "latest").folder.name == "baseline"
    with pytest.raises(EvalsError, match="broke off"):
        open_run(home, "candidate")
    edit_run(world, "baseline", variant="bm25")
    with pytest.raises(EvalsError, match="no run 'latest'"):
        open_run(home, "latest")


def test_a_run_of_the_test_split_is_refused(world: World) -> None:
    home = world.services.settings.home
    edit_run(world, "candidate", split="test")
    assert open_run(home, "latest").folder.name == "baseline"
    for named in ("candidate", str(home / "runs" / "candidate")):
        with pytest.raises(LockedError, match="locked test split"):
            open_run(home, named)
    with pytest.raises(LockedError):
        open_baseline(world.baseline, home / "runs" / "candidate")
    with pytest.raises(RunDamaged):
        open_baseline(world.baseline, home / "nowhere")


def test_changes_are_signed_and_only_of_the_same_words(world: World, sit: Sit) -> None:
    rows = {row.case.id: row for row in sit().rows}
    gain = rows["a-1"].gain
    assert rows["a-1"].changed and gain is not None and gain < 0
    path = world.baseline.folder / "records.jsonl"
    sha = rows["a-1"].candidate.record.case_sha256
    path.write_text(path.read_text("utf-8").replace(sha, "0" * 64), "utf-8")
    older = load_run(world.baseline.folder)
    assert next(row for row in rank(world.run, older, SCORERS, {}) if row.case.id == "a-1").baseline is None


def test_agreement_prints_kappa(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sit: Sit
) -> None:
    for who, causes in (("ann", ["guard", "other", "guard"]), ("bob", ["guard", "other", "other"])):
        for name, cause in zip(("a-1", "a-2", "a-3"), causes, strict=True):
            row = sit().row(name)
            assert row is not None
            record(world.folder, act(who, "label", row.case, row.case, run="r", cause=cause))
    for extra in ([], ["--json"]):
        arguments = ["evals", "review", "agreement", "tiny", "--golden-sets", str(world.root), *extra]
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code
    printed = capsys.readouterr().out
    table, _, shown = printed.partition("[\n")
    assert "0.40" in table and "67%" in table
    [pair] = json.loads("[" + shown)
    assert (pair["agreement"]["n"], round(pair["agreement"]["kappa"], 2)) == (3, 0.4)


def test_the_command_serves_until_it_is_told_to_stop(world: World, tmp_path: Path) -> None:
    arguments = ["review", "candidate", "--baseline", str(world.baseline.folder), "--no-browser", "--reviewer", "ann"]
    where = ["--home", str(world.services.settings.home), "--golden-sets", str(world.root)]
    root = Path(cli.__file__).parent.parent
    process = subprocess.Popen(
        [sys.executable, "-m", "evals.cli", *arguments, *where],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(root), "PYTHONUNBUFFERED": "1", "HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        link = process.stdout.readline().split()[-1]
        assert link.startswith("http://127.0.0.1:")
        deadline = time.monotonic() + 20
        while True:
            try:
                page = httpx.get(link, follow_redirects=True, timeout=10)
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        port = urlsplit(link).port
        sockets = [line.split()[1] for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]]
        assert {one.partition(":")[0] for one in sockets if one.endswith(f":{port:04X}")} == {"0100007F"}  # 127.0.0.1
        assert page.status_code == 200 and "cases went wrong" in page.text
    finally:
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=30)
    assert (process.returncode, complaints) == (0, "")
