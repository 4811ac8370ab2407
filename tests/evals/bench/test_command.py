"""`evals bench` as a command."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner, Result

from app.bootstrap import Services
from app.settings import load_settings
from evals.bench.kinds import KINDS
from evals.bench.results import BenchResult, Score
from evals.bench.terminal import said, show_bench
from evals.commands import bench
from evals.commands.options import Door
from evals.errors import BenchError
from tests.conftest import Build
from tests.evals.bench.sets import write_bench

Run = Callable[..., Result]


@pytest.fixture
def homes() -> list[Path]:
    return []


@pytest.fixture
def run(build_services: Build, homes: list[Path]) -> Run:
    @contextmanager
    def services(home: Path | None, provider: str | None) -> Iterator[Services]:
        assert home is not None and provider is None
        homes.append(home)
        opened = build_services(given=load_settings(home=home))
        yield opened
        opened.close()

    @contextmanager
    def progress(quiet: bool) -> Iterator[None]:
        yield None

    cli = typer.Typer()

    @cli.callback()
    def main(ctx: typer.Context) -> None:
        ctx.obj = Door(Console(width=200), Console(stderr=True), services, progress)

    bench.add_to(cli)
    return lambda *arguments: CliRunner().invoke(cli, ["bench", *map(str, arguments)])


def test_json_is_all_that_is_printed_and_the_home_goes(run: Run, homes: list[Path], tmp_path: Path) -> None:
    path = write_bench(tmp_path / "tiny")
    printed = json.loads(run("retrieval", path, "--json").stdout)
    assert (printed["kind"], printed["path"], printed["n"]) == ("retrieval", str(path), 2)
    assert printed["metrics"]["docs_per_s"]["value"] > 0
    assert not homes[0].exists()


def test_a_given_home_stays_and_is_used_again(run: Run, tmp_path: Path) -> None:
    path, home = write_bench(tmp_path / "tiny"), tmp_path / "kept"
    first, second = (json.loads(run("retrieval", path, "--json", "--home", home).stdout) for _ in range(2))
    assert home.is_dir() and first["metrics"]["docs_per_s"]["value"] > 0
    assert second["metrics"]["docs_per_s"]["value"] is None
    assert first["metrics"]["ndcg@10"] == second["metrics"]["ndcg@10"]


def test_people_see_a_table_of_what_ships_beside_the_baselines(run: Run, monkeypatch, tmp_path: Path) -> None:
    shown = run("answers", write_bench(tmp_path / "tiny"), "--limit", 2)
    for word in ("shipped", "always_abstain", "lead_bm25", "bm25", "token_f1", "n=2"):
        assert word in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bogus", "tiny"], "no bench kind 'bogus'. There are: answerability, answers, groundedness, retrieval"),
        (["retrieval", "nothing"], "There is no nothing"),
        (["retrieval", "file"], "is no folder"),
        (["retrieval", "tiny", "--query-field", "rewrite"], "has no 'rewrite'"),
    ],
)
def test_misuse_is_one_line_that_says_what_to_do(arguments: list[str], message: str, run: Run) -> None:
    write_bench(Path("tiny"))
    Path("file").touch()
    error = run(*arguments).exception
    assert isinstance(error, BenchError) and message in str(error)


def test_the_help_names_every_kind(run: Run) -> None:
    shown = " ".join(run("--help").stdout.split())
    assert all(kind in shown for kind in KINDS)


def test_numbers_are_said_with_their_interval() -> None:
    assert said(Score(0.70312, 0.651, 0.7549, 300)) == "0.703 [0.651, 0.755]"
    assert said(Score(12.34, 11.06, 13.0, 300)) == "12.3 [11.1, 13.0]"
    assert said(Score(0.5, n=1)) == "0.500"
    assert said(Score(None)) == said(None) == "–"


def test_names_of_sources_are_no_markup() -> None:
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    show_bench(BenchResult("k", "[red]p", 1, {"m": Score(1.0)}, {}, {"[bold]s": {"m": Score(1.0)}}), console)
    console.file.close()
    text = console.export_text()
    assert "[red]p" in text and "[bold]s" in text
