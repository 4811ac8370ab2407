"""`evals bench`: what ships, on public data in the bench format."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from evals.commands.options import Door, Json, command
from evals.errors import BenchError


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """Options of `evals bench`."""

    kind: Annotated[str, typer.Argument(help="What is measured: retrieval, answers, answerability or groundedness.")]
    path: Annotated[Path, typer.Argument(help="A folder or file in the bench format.")]
    limit: Annotated[int | None, typer.Option(min=1, help="Score so many queries, drawn with the seed.")] = None
    query_field: Annotated[
        Literal["text", "rewrite", "all_questions"], typer.Option(help="Which form of each question is asked.")
    ] = "text"
    leave_one_source_out: Annotated[
        bool, typer.Option("--leave-one-source-out", help="groundedness: fit anew without the source that is scored.")
    ] = False
    everything: Annotated[
        bool, typer.Option("--everything", help="answerability: ask the half too on which weights were fitted.")
    ] = False
    seed: Annotated[int, typer.Option(min=0, help="Of the sample and of the intervals.")] = 0
    home: Annotated[
        Path | None,
        typer.Option("--home", help="Keep documents and vectors here for the next time. Default: a folder that goes."),
    ] = None
    as_json: Json = False


def bench(door: Door, given: BenchOptions) -> None:
    """Score what ships on a bench set, with simple baselines beside it. Trains nothing but for --leave-one-source-out.

    Exit codes: 0 it ran, however good or bad; 4 misuse, or data that is not in the format.
    """
    from evals.bench.kinds import KINDS
    from evals.bench.results import BenchRequest
    from evals.bench.terminal import show_bench

    if given.kind not in KINDS:
        raise BenchError(f"There is no bench kind '{given.kind}'. There are: {', '.join(KINDS)}.")
    if not given.path.exists():
        raise BenchError(f"There is no {given.path}. Give a folder or file in the bench format.")
    with _home(given.home) as home:
        fresh = not home.is_dir() or not any(home.iterdir())
        request = BenchRequest(
            given.path,
            given.limit,
            given.query_field,
            given.seed,
            fresh,
            leave_one_source_out=given.leave_one_source_out,
            everything=given.everything,
        )
        with door.services(home, None) as services, door.progress(given.as_json) as progress:
            result = asyncio.run(KINDS[given.kind](services, request, progress))
    if given.as_json:
        door.print_json(result.as_json())
    else:
        show_bench(result, door.out)


@contextmanager
def _home(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as folder:
        yield Path(folder)


def add_to(cli: typer.Typer) -> None:
    """Register the commands of this file."""
    command(cli)(bench)
