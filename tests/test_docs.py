"""Docs that cannot rot: generated pages are current, the README's commands exist and run, links lead somewhere."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from app.cli import cli as assay
from evals.cli import cli

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
WORKFLOW = ROOT / "docs" / "github-actions.yml"


def test_generated_pages_are_current() -> None:
    command = [sys.executable, "scripts/generate_docs.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, env={"PYTHONPATH": "."}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_make_target_in_the_docs_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for page in PAGES:
        for target in re.findall(r"`make ([a-z]+)`|^make ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE):
            assert re.search(rf"^{target[0] or target[1]}:", makefile, re.MULTILINE), f"{page.name}: make {target}"


@pytest.mark.parametrize(("program", "group", "least"), [("evals", cli, 20), ("assay", assay, 12)])
def test_every_command_in_the_docs_exists(program: str, group: typer.Typer, least: int) -> None:
    named = re.compile(rf"^(?:.*run: )?(?:\.venv/bin/)?{program} ([a-z].*)$", re.MULTILINE)
    lines = [line for page in [*PAGES, WORKFLOW] for line in named.findall(page.read_text(encoding="utf-8"))]
    assert len(lines) >= least
    for line in lines:
        command: Any = typer.main.get_command(group)
        words = shlex.split(line, comments=True)
        while words and hasattr(command, "commands"):
            assert words[0] in command.commands, f"{program} {line}"
            command = command.commands[words.pop(0)]
        options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert {word.split("=")[0] for word in words if word.startswith("--")} <= options, f"{program} {line}"


def test_the_ready_workflow_is_whole() -> None:
    job = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["gate"]
    steps = " ".join(step.get("run", "") for step in job["steps"])
    assert "evals run release --baselines" in steps
    home = job["env"]["ASSAY_HOME"]  # not a hidden folder: the upload would leave it out
    assert not home.startswith(".")
    assert all(f"{home}/runs/" in text for text in (steps, job["steps"][-1]["with"]["path"]))


@pytest.mark.model
def test_the_readmes_example_runs(tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines() if line.startswith(".venv/bin/assay ")]
    assert len(commands) == 3
    for line in commands:
        arguments = shlex.split(line, comments=True)[1:]
        done = subprocess.run(
            [sys.executable, "-m", "app.cli", *arguments],
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "ASSAY_HOME": str(tmp_path / "home")},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
