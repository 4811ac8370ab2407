"""What all commands share: options that many have, and the doors that evals/cli.py hands them."""

import inspect
import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer
from rich.console import Console

from app.commands.options import parameters_of, signed

if TYPE_CHECKING:
    from app.bootstrap import Services
    from evals.running.runner import Step

UNMEASURABLE, MISUSE = 3, 4


@dataclass(frozen=True, slots=True)
class Door:
    """Handed to every command by evals/cli.py, the only place of this room that joins parts."""

    out: Console
    err: Console
    services: "Callable[[Path | None, str | None], AbstractContextManager[Services]]"
    """Given home and provider, None for what the settings say."""
    progress: "Callable[[bool], AbstractContextManager[Step | None]]"
    """Given whether to be quiet."""

    def print_json(self, value: Any) -> None:
        """Print JSON for machines, nothing else."""
        sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


Home = Annotated[Path | None, typer.Option("--home", help="Where all state lives. Default: ASSAY_HOME, or .assay.")]
Sets = Annotated[Path, typer.Option("--golden-sets", help="The folder that holds the golden sets.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines, nothing else.")]


@dataclass(frozen=True, kw_only=True)
class Common:
    """Options that most commands have."""

    home: Home = None
    golden_sets: Sets = Path("golden_sets")
    as_json: Json = False


Given = TypeVar("Given")


def command(cli: typer.Typer, name: str | None = None) -> Callable[[Callable[[Door, Given], None]], None]:
    """Register `function(door, given)` as a command whose options are the fields of the dataclass `given`."""

    def register(function: Callable[[Door, Given], None]) -> None:
        options = get_type_hints(function, include_extras=True)["given"]
        ctx = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)

        def run(**values: Any) -> None:
            door: Door = values.pop("ctx").obj
            function(door, options(**values))

        signed(run, function, [ctx, *parameters_of(options)])
        cli.command(name or function.__name__.replace("_", "-"))(run)

    return register
